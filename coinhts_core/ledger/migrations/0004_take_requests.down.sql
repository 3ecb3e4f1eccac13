DROP TABLE requests;
DROP FUNCTION judge_request_state;
