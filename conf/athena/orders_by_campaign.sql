-- Conversion by campaign: which campaigns bring visits, and how many orders does each get credit for?
-- Credit goes to the person's latest visit that came by a campaign, if it began at most 7 days before the order.
-- Tables: event, session, user
-- Adapt: apps, days (the sessions' are 7 more), the events of an order and the parameter with its total
WITH visits AS (
  SELECT
    s.app_id,
    coalesce(u.user_id, s.user_pseudo_id) AS person,
    s.event_timestamp AS visit_start,
    s.start_date,
    coalesce(s.session_source, '(none)') AS source,
    coalesce(s.session_medium, '(none)') AS medium,
    s.session_campaign AS campaign
  FROM session s
  JOIN "user" u ON u.app_id = s.app_id AND u.user_pseudo_id = s.user_pseudo_id
  WHERE s.app_id IN ('shop', 'shop-gtm', 'shop-sensors')
    AND s.start_date >= current_date - INTERVAL '37' DAY
    AND coalesce(s.device_ua_device_category, '') <> 'Bot'
    AND s.session_campaign <> 'Direct'
),
orders AS (
  SELECT
    e.app_id,
    e.event_id,
    coalesce(u.user_id, e.user_pseudo_id) AS person,
    e.event_timestamp AS ordered_at,
    coalesce(e.event_value, TRY_CAST(json_extract_scalar(e.custom_parameters_json_str, '$.total') AS double)) AS worth
  FROM event e
  JOIN "user" u ON u.app_id = e.app_id AND u.user_pseudo_id = e.user_pseudo_id
  WHERE e.app_id IN ('shop', 'shop-gtm', 'shop-sensors')
    AND e.event_date >= current_date - INTERVAL '30' DAY
    AND e.event_name IN ('purchase', 'SubmitOrder')
),
candidates AS (
  SELECT
    o.app_id,
    o.worth,
    v.source,
    v.medium,
    v.campaign,
    row_number() OVER (PARTITION BY o.app_id, o.event_id ORDER BY v.visit_start DESC) AS nth
  FROM orders o
  JOIN visits v
    ON v.app_id = o.app_id
    AND v.person = o.person
    AND v.visit_start BETWEEN o.ordered_at - INTERVAL '7' DAY AND o.ordered_at
),
credits AS (
  SELECT app_id, source, medium, campaign, count(*) AS orders, sum(worth) AS revenue
  FROM candidates
  WHERE nth = 1
  GROUP BY 1, 2, 3, 4
),
traffic AS (
  SELECT app_id, source, medium, campaign, count(*) AS visits, count(DISTINCT person) AS people
  FROM visits
  WHERE start_date >= current_date - INTERVAL '30' DAY
  GROUP BY 1, 2, 3, 4
)
SELECT
  t.app_id,
  t.source,
  t.medium,
  t.campaign,
  t.visits,
  t.people,
  coalesce(c.orders, 0) AS orders,
  round(coalesce(c.revenue, 0), 2) AS revenue,
  round(100.0 * coalesce(c.orders, 0) / t.visits, 1) AS orders_per_100_visits
FROM traffic t
LEFT JOIN credits c ON c.app_id = t.app_id AND c.source = t.source AND c.medium = t.medium AND c.campaign = t.campaign
ORDER BY revenue DESC, t.visits DESC, t.app_id, t.source, t.medium, t.campaign
