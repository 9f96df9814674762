-- Retention: of the users who came first on a day, how many percent were there again on day 1, 3, 7, 14 and 30 after it?
-- Tables: event, user
-- Adapt: apps, days; a day that is not over may still grow, one to come is null
WITH active AS (
  SELECT DISTINCT app_id, user_pseudo_id, event_date AS active_day
  FROM event
  WHERE app_id IN ('shop', 'shop-gtm', 'shop-sensors')
    AND event_date >= current_date - INTERVAL '60' DAY
    AND NOT coalesce(is_bot, false)
),
-- A client may tell of a first visit that is not in the tables: only who was seen on the first day can be missed later.
newcomers AS (
  SELECT u.app_id, u.user_pseudo_id, u.first_visit_date AS first_day
  FROM "user" u
  JOIN active a ON a.app_id = u.app_id AND a.user_pseudo_id = u.user_pseudo_id AND a.active_day = u.first_visit_date
),
visits AS (
  SELECT n.app_id, n.user_pseudo_id, n.first_day, date_diff('day', n.first_day, a.active_day) AS day_number
  FROM newcomers n
  JOIN active a ON a.app_id = n.app_id AND a.user_pseudo_id = n.user_pseudo_id
),
cohorts AS (
  SELECT
    app_id,
    first_day,
    date_diff('day', first_day, current_date) AS age,
    count(DISTINCT user_pseudo_id) AS users,
    count_if(day_number = 1) AS day_1,
    count_if(day_number = 3) AS day_3,
    count_if(day_number = 7) AS day_7,
    count_if(day_number = 14) AS day_14,
    count_if(day_number = 30) AS day_30
  FROM visits
  GROUP BY 1, 2
)
SELECT
  app_id,
  first_day,
  users,
  CASE WHEN age >= 1 THEN round(100.0 * day_1 / users, 1) END AS day_1_percent,
  CASE WHEN age >= 3 THEN round(100.0 * day_3 / users, 1) END AS day_3_percent,
  CASE WHEN age >= 7 THEN round(100.0 * day_7 / users, 1) END AS day_7_percent,
  CASE WHEN age >= 14 THEN round(100.0 * day_14 / users, 1) END AS day_14_percent,
  CASE WHEN age >= 30 THEN round(100.0 * day_30 / users, 1) END AS day_30_percent
FROM cohorts
ORDER BY app_id, first_day
