-- Ordered funnel: how many people saw a page, after that a product, and after that ordered?
-- Tables: event, user
-- Adapt: apps, days, the events of each step; a login is one person on all devices
-- Bots are left out at the first step only: a shop's server that reports orders looks like one.
WITH steps AS (
  SELECT
    e.app_id,
    coalesce(u.user_id, e.user_pseudo_id) AS person,
    e.event_time_msec AS at_msec,
    CASE
      WHEN e.event_name IN ('_page_view', '_screen_view', '$pageview', '$AppViewScreen', '$MPViewScreen')
        AND NOT coalesce(e.is_bot, false) THEN 1
      WHEN e.event_name IN ('view_item', 'ViewProduct') THEN 2
      WHEN e.event_name IN ('purchase', 'SubmitOrder') THEN 3
    END AS step
  FROM event e
  JOIN "user" u ON u.app_id = e.app_id AND u.user_pseudo_id = e.user_pseudo_id
  WHERE e.app_id IN ('shop', 'shop-gtm', 'shop-sensors')
    AND e.event_date >= current_date - INTERVAL '30' DAY
),
-- Each step counts from the earliest time at which the one before it is done.
visited AS (
  SELECT app_id, person, min(at_msec) AS at_msec FROM steps WHERE step = 1 GROUP BY 1, 2
),
looked AS (
  SELECT s.app_id, s.person, min(s.at_msec) AS at_msec
  FROM steps s JOIN visited v ON v.app_id = s.app_id AND v.person = s.person AND s.at_msec >= v.at_msec
  WHERE s.step = 2
  GROUP BY 1, 2
),
ordered AS (
  SELECT s.app_id, s.person, min(s.at_msec) AS at_msec
  FROM steps s JOIN looked l ON l.app_id = s.app_id AND l.person = s.person AND s.at_msec >= l.at_msec
  WHERE s.step = 3
  GROUP BY 1, 2
)
SELECT
  v.app_id,
  count(*) AS visited,
  count(l.person) AS looked_at_product,
  count(o.person) AS ordered,
  round(100.0 * count(l.person) / count(*), 1) AS looked_percent,
  round(100.0 * count(o.person) / count(*), 1) AS ordered_percent
FROM visited v
LEFT JOIN looked l ON l.app_id = v.app_id AND l.person = v.person
LEFT JOIN ordered o ON o.app_id = v.app_id AND o.person = v.person
GROUP BY 1
ORDER BY 1
