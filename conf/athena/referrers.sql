-- Top referrers: which other sites send visitors?
-- Tables: event
-- Adapt: apps, days, hosts of your own besides the page's, LIMIT
WITH arrivals AS (
  SELECT
    app_id,
    user_pseudo_id,
    page_view_hostname,
    lower(regexp_extract(page_view_page_referrer, '^https?://([^/?#]+)', 1)) AS referrer_host
  FROM event
  WHERE app_id IN ('shop', 'shop-gtm', 'shop-sensors')
    AND year * 10000 + month * 100 + day >= CAST(date_format(current_date - INTERVAL '30' DAY, '%Y%m%d') AS integer)
    AND event_name IN ('_page_view', '_screen_view', '$pageview', '$AppViewScreen', '$MPViewScreen')
    AND page_view_page_referrer LIKE 'http%://%'
    AND NOT coalesce(is_bot, false)
)
SELECT app_id, referrer_host, count(*) AS arrivals, count(DISTINCT user_pseudo_id) AS users
FROM arrivals
WHERE referrer_host <> coalesce(page_view_hostname, '')
GROUP BY 1, 2
ORDER BY arrivals DESC, app_id, referrer_host
LIMIT 100
