-- Top referrers: which other sites send visitors?
-- Some clients tell on every page which site led to the visit (latest referrer), others only which page came before.
-- Tables: event
-- Adapt: apps, days, hosts of your own besides the page's, LIMIT
WITH views AS (
  SELECT
    app_id,
    user_pseudo_id,
    coalesce(session_id, CAST(event_date AS varchar)) AS visit,
    page_view_hostname AS own_host,
    coalesce(
      nullif(page_view_latest_referrer_host, ''),
      lower(regexp_extract(page_view_page_referrer, '^https?://([^/?#]+)', 1))
    ) AS referrer_host
  FROM event
  WHERE app_id IN ('shop', 'shop-gtm', 'shop-sensors')
    AND event_date >= current_date - INTERVAL '30' DAY
    AND event_name IN ('_page_view', '_screen_view', '$pageview', '$AppViewScreen', '$MPViewScreen')
    AND NOT coalesce(is_bot, false)
)
SELECT
  app_id,
  referrer_host,
  count(DISTINCT concat(user_pseudo_id, ' ', visit)) AS visits,
  count(DISTINCT user_pseudo_id) AS users
FROM views
WHERE referrer_host <> ''
  AND referrer_host <> coalesce(own_host, '')
GROUP BY 1, 2
ORDER BY visits DESC, app_id, referrer_host
LIMIT 100
