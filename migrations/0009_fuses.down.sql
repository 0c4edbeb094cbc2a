DROP TABLE fuses;
