DROP TABLE learnt_hours, step_hours, follower_hours, learnt, step_statistics, follower_statistics,
    failures, failure_minutes, failure_counts, failure_hours, payload_marks, payload_walk, open_payloads;
