-- On-site search: what do people look for? Each client has its own event and puts the term in another place.
-- Tables: event
-- Adapt: apps, days, the events and parameters of a search, LIMIT
WITH searches AS (
  SELECT
    app_id,
    user_pseudo_id,
    lower(trim(coalesce(
      search_term,
      json_extract_scalar(custom_parameters_json_str, '$.search_term'),
      json_extract_scalar(custom_parameters_json_str, '$.keyword')
    ))) AS term
  FROM event
  WHERE app_id IN ('shop', 'shop-gtm', 'shop-sensors')
    AND event_date >= current_date - INTERVAL '30' DAY
    AND event_name IN ('_search', 'view_search_results', 'Search')
    AND NOT coalesce(is_bot, false)
)
SELECT app_id, term, count(*) AS searches, count(DISTINCT user_pseudo_id) AS users
FROM searches
WHERE term <> ''
GROUP BY 1, 2
ORDER BY searches DESC, app_id, term
LIMIT 100
