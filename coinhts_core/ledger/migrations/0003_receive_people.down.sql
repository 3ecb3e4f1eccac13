DROP TABLE deliveries;
DROP TABLE alerts;
DROP TABLE settings_history;
DROP TABLE settings;
DROP TABLE sessions;
