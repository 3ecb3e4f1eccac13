DROP TABLE holding_events;
DROP TABLE holdings;
DROP FUNCTION keep_for_ever;
DROP FUNCTION judge_holding;
