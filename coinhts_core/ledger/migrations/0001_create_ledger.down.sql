DROP TABLE positions;
DROP TABLE position_days;
DROP TABLE coverage;
DROP TABLE symbols;
DROP TABLE installation;
DROP DOMAIN market;
DROP DOMAIN finite;
