DROP TABLE job_metrics;
