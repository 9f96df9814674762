"""Real user agents, client hints and bot lists through the ``user_agent`` enricher."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from crawleruseragents import CRAWLER_USER_AGENTS_DATA
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import bots
from streaming_app.enrichers.user_agent import COLUMNS, KEPT, UserAgent
from streaming_app.enrichers.user_agent.bots import TOO_WIDE
from streaming_app.enrichers.user_agent.options import UserAgentOptions
from streaming_app.errors import ConfigError
from streaming_app.plugins.enricher import Enricher
from streaming_app.transformers.gtm_server.hint_columns import read_hints as gtm_hints

Row = dict[str, Any]

# user agent: (browser, its version, operating system, its version, category, device, brand, model, who says that it is a bot)
AGENTS: dict[str, tuple[str | None, ...]] = {
    # desktops
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36": ("Chrome", "124.0.0", "Windows", "10", "Desktop", "Other", None, None, None),
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/58.0.3029.110 Safari/537.36": ("Chrome", "58.0.3029", "Windows", "10", "Desktop", "Other", None, None, None),
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36 Edg/124.0.2478.67": ("Edge", "124.0.2478", "Windows", "10", "Desktop", "Other", None, None, None),
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:125.0) Gecko/20100101 Firefox/125.0": ("Firefox", "125.0", "Windows", "10", "Desktop", "Other", None, None, None),
    "Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko": ("IE", "11.0", "Windows", "7", "Desktop", "Other", None, None, None),
    "Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 6.1; Trident/4.0; Tablet PC 2.0)": ("IE", "8.0", "Windows", "7", "Desktop", "Other", None, None, None),
    "Mozilla/5.0 (Windows NT 6.3; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/109.0.0.0 Safari/537.36 OPR/95.0.0.0": ("Opera", "95.0.0", "Windows", "8.1", "Desktop", "Other", None, None, None),
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/122.0.0.0 YaBrowser/24.4.1.899 Yowser/2.5 Safari/537.36": ("Yandex Browser", "24.4.1", "Windows", "10", "Desktop", "Other", None, None, None),
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Slack/4.38.125 Chrome/124.0.6367.207 Electron/30.0.6 Safari/537.36": ("Electron", "30.0.6", "Windows", "10", "Desktop", "Other", None, None, None),
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4.1 Safari/605.1.15": ("Safari", "17.4.1", "Mac OS X", "10.15.7", "Desktop", "Mac", "Apple", "Mac", None),
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36": ("Chrome", "124.0.0", "Mac OS X", "10.15.7", "Desktop", "Mac", "Apple", "Mac", None),
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:125.0) Gecko/20100101 Firefox/125.0": ("Firefox", "125.0", "Mac OS X", "10.15", "Desktop", "Mac", "Apple", "Mac", None),
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36": ("Chrome", "124.0.0", "Linux", None, "Desktop", "Other", None, None, None),
    "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:125.0) Gecko/20100101 Firefox/125.0": ("Firefox", "125.0", "Ubuntu", None, "Desktop", "Other", None, None, None),
    "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36": ("Chrome", "124.0.0", "Chrome OS", "14541.0.0", "Desktop", "Other", None, None, None),
    "Mozilla/5.0 (X11; FreeBSD amd64; rv:109.0) Gecko/20100101 Firefox/118.0": ("Firefox", "118.0", "FreeBSD", None, "Desktop", "Other", None, None, None),
    # phones
    "Mozilla/5.0 (iPhone; CPU iPhone OS 16_6_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.6 Mobile/15E148 Safari/604.1": ("Mobile Safari", "16.6", "iOS", "16.6.1", "Mobile", "iPhone", "Apple", "iPhone", None),
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/124.0.6367.88 Mobile/15E148 Safari/604.1": ("Chrome Mobile iOS", "124.0.6367", "iOS", "17.4.1", "Mobile", "iPhone", "Apple", "iPhone", None),
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 [FBAN/FBIOS;FBAV/467.0.0.38.106;FBBV/608839765;FBDV/iPhone14,5;FBMD/iPhone;FBSN/iOS;FBSV/17.5;FBSS/3;FBID/phone;FBLC/en_US;FBOP/5;FBRV/0]": ("Facebook", "467.0.0", "iOS", "17.5", "Mobile", "iPhone", "Apple", "iPhone14,5", None),
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 Instagram 331.0.0.29.90 (iPhone14,5; iOS 17_4_1; en_US; en; scale=3.00; 1170x2532; 600000000)": ("Instagram", "331.0.0", "iOS", "17.4.1", "Mobile", "iPhone", "Apple", "iPhone14,5", None),
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148 MicroMessenger/8.0.49(0x18003137) NetType/WIFI Language/en": ("WeChat Browser", "8.0.49", "iOS", "17.5", "Mobile", "iPhone", "Apple", "iPhone", None),
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) GSA/316.0.634488990 Mobile/15E148 Safari/604.1": ("Google", "316.0.634488990", "iOS", "17.5", "Mobile", "iPhone", "Apple", "iPhone", None),
    "Mozilla/5.0 (iPod touch; CPU iPhone OS 12_5_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/12.1.2 Mobile/15E148 Safari/604.1": ("Mobile Safari", "12.1.2", "iOS", "12.5.7", "Mobile", "iPod", "Apple", "iPod", None),
    "Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.6367.82 Mobile Safari/537.36": ("Chrome Mobile", "124.0.6367", "Android", "14", "Mobile", "Samsung SM-S918B", "Samsung", "SM-S918B", None),
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Mobile Safari/537.36": ("Chrome Mobile", "124.0.0", "Android", "10", "Mobile", "K", "Generic_Android", "K", None),
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36": ("Samsung Internet", "25.0", "Android", "10", "Mobile", "K", "Generic_Android", "K", None),
    "Mozilla/5.0 (Linux; Android 14; Pixel 8 Pro Build/UD1A.231105.004; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/124.0.6367.82 Mobile Safari/537.36": ("Chrome Mobile WebView", "124.0.6367", "Android", "14", "Mobile", "Pixel 8 Pro", "Google", "Pixel 8 Pro", None),
    "Mozilla/5.0 (Linux; Android 11; Redmi Note 9 Build/RP1A.200720.011; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/107.0.5304.105 Mobile Safari/537.36": ("Chrome Mobile WebView", "107.0.5304", "Android", "11", "Mobile", "XiaoMi Redmi Note 9", "XiaoMi", "Redmi Note 9", None),
    "Mozilla/5.0 (Linux; Android 15; CPH2581 Build/AP3A.240617.008; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/131.0.6778.135 Mobile Safari/537.36": ("Chrome Mobile WebView", "131.0.6778", "Android", "15", "Mobile", "Oppo CPH2581", "Oppo", "CPH2581", None),
    "Mozilla/5.0 (Linux; Android 14; SM-S918B Build/UP1A.231005.007; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/125.0.6422.113 Mobile Safari/537.36 [FB_IAB/FB4A;FBAV/467.0.0.38.106;]": ("Facebook", "467.0.0", "Android", "14", "Mobile", "Samsung SM-S918B", "Samsung", "SM-S918B", None),
    "Mozilla/5.0 (Android 14; Mobile; rv:125.0) Gecko/125.0 Firefox/125.0": ("Firefox Mobile", "125.0", "Android", "14", "Mobile", "Generic Smartphone", "Generic", "Smartphone", None),
    "Mozilla/5.0 (Linux; U; Android 13; zh-cn; 2201123C Build/TKQ1.220807.001) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/100.0.4896.127 Mobile Safari/537.36 XiaoMi/MiuiBrowser/17.5.20417": ("MiuiBrowser", "17.5.20417", "Android", "13", "Mobile", "Generic Smartphone", "Generic", "Smartphone", None),
    "Mozilla/5.0 (Linux; Android 10; CUBOT KING KONG) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/83.0.4103.106 Mobile Safari/537.36": ("Chrome Mobile", "83.0.4103", "Android", "10", "Mobile", "KING KONG", "Cubot", "KING KONG", None),
    "Mozilla/5.0 (Linux; Android 6.0.1; OPPO R9s Plus Build/MMB29M; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/68.0.3440.106 Mobile Safari/537.36 AWP/2.0 SogouMSE,SogouMobileBrowser/5.28.7": ("Chrome Mobile WebView", "68.0.3440", "Android", "6.0.1", "Mobile", "Oppo R9s Plus", "Oppo", "R9s Plus", None),
    "Mozilla/5.0 (Linux; Android 4.2.2; HTC Butterfly Build/JDQ39) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/31.0.1650.59 Mobile Safari/537.36": ("Chrome Mobile", "31.0.1650", "Android", "4.2.2", "Mobile", "HTC Butterfly", "HTC", "Butterfly", None),
    "Opera/9.80 (Android; Opera Mini/36.2.2254/119.132; U; id) Presto/2.12.423 Version/12.16": ("Opera Mini", "36.2.2254", "Android", None, "Mobile", "Generic Smartphone", "Generic", "Smartphone", None),
    "Mozilla/5.0 (compatible; MSIE 10.0; Windows Phone 8.0; Trident/6.0; IEMobile/10.0; ARM; Touch; NOKIA; Lumia 920)": ("IE Mobile", "10.0", "Windows Phone", "8.0", "Mobile", "Lumia 920", "Nokia", "Lumia 920", None),
    "Mozilla/5.0 (Mobile; LYF/F120B/LYF-F120B-000-02-15-230318;Android; rv:48.0) Gecko/48.0 Firefox/48.0 KAIOS/2.5": ("Firefox Mobile", "48.0", "KaiOS", "2.5", "Mobile", "LYF F120B", "LYF", "F120B", None),
    "Mozilla/5.0 (BB10; Touch) AppleWebKit/537.10+ (KHTML, like Gecko) Version/10.0.9.2372 Mobile Safari/537.10+": ("BlackBerry WebKit", "10.0.9", "BlackBerry OS", "10.0.9", "Mobile", "BlackBerry Touch", "BlackBerry", "Touch", None),
    # tablets
    "Mozilla/5.0 (iPad; CPU OS 15_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/15.6 Mobile/15E148 Safari/604.1": ("Mobile Safari", "15.6", "iOS", "15.6", "Tablet", "iPad", "Apple", "iPad", None),
    "Mozilla/5.0 (Linux; Android 13; SM-X710) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36": ("Chrome", "124.0.0", "Android", "13", "Tablet", "SM-X710", "Generic_Android_Tablet", "SM-X710", None),
    "Mozilla/5.0 (Linux; Android 9; SM-T510 Build/PPR1.180610.011; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/120.0.6099.230 Mobile Safari/537.36": ("Chrome Mobile WebView", "120.0.6099", "Android", "9", "Tablet", "Samsung SM-T510", "Samsung", "SM-T510", None),
    "Mozilla/5.0 (Linux; Android 12; KFTRWI) AppleWebKit/537.36 (KHTML, like Gecko) Silk/124.4.1 like Chrome/124.0.6367.207 Safari/537.36": ("Amazon Silk", "124.4.1", "Android", "12", "Tablet", "Kindle", "Amazon", "Kindle", None),
    "Mozilla/5.0 (Android 13; Tablet; rv:125.0) Gecko/125.0 Firefox/125.0": ("Firefox Mobile", "125.0", "Android", "13", "Tablet", "Generic Tablet", "Generic", "Tablet", None),
    "Mozilla/5.0 (Linux; Android 10; AGS3-L09) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/105.0.0.0 Safari/537.36": ("Chrome", "105.0.0", "Android", "10", "Tablet", "AGS3-L09", "Generic_Android_Tablet", "AGS3-L09", None),
    "Mozilla/5.0 (Linux; Android 10; Lenovo TB-X606F) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0.0.0 Safari/537.36": ("Chrome", "119.0.0", "Android", "10", "Tablet", "Lenovo TB-X606F", "Lenovo", "TB-X606F", None),
    # televisions and consoles
    "Mozilla/5.0 (SMART-TV; LINUX; Tizen 6.0) AppleWebKit/537.36 (KHTML, like Gecko) 76.0.3809.146/6.0 TV Safari/537.36": ("Safari", None, "Tizen", "6.0", "TV", "Samsung SMART-TV", "Samsung", "SMART-TV", None),
    "Mozilla/5.0 (Web0S; Linux/SmartTV) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/79.0.3945.79 Safari/537.36 WebAppManager": ("Chrome", "79.0.3945", "Web0S", None, "TV", "LG Web0S SmartTV", "LG", "Web0S SmartTV", None),
    "Mozilla/5.0 (Linux; Android 9; AFTMM Build/PS7285.2877N; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/70.0.3538.110 Mobile Safari/537.36": ("Chrome Mobile WebView", "70.0.3538", "Android", "9", "TV", "AFTMM", "Generic_Android", "AFTMM", None),
    "Mozilla/5.0 (Linux; Android 9; BRAVIA 4K UR2 Build/PTT1.190515.001.S56; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/85.0.4183.81 Mobile Safari/537.36": ("Chrome Mobile WebView", "85.0.4183", "Android", "9", "TV", "BRAVIA 4K UR2", "Generic_Android", "BRAVIA 4K UR2", None),
    "Mozilla/5.0 (X11; Linux armv7l) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/90.0.4430.225 Safari/537.36 CrKey/1.56.500000": ("Chrome", "90.0.4430", "Chromecast Linux", "1.56.500000", "TV", "Chromecast", "Google", "Chromecast", None),
    "Roku/DVP-9.10 (519.10E04111A)": ("Roku", "9.10", "Roku", "9.10", "TV", "Roku", "Generic_Inettv", "Roku", None),
    "AppleTV11,1/11.1": ("Other", None, "ATV OS X", None, "TV", "AppleTV", "Apple", "AppleTV", None),
    "Mozilla/5.0 (Linux; Andr0id 9; BRAVIA 2015) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/74.0.3729.157 Safari/537.36 HbbTV/1.2.1 (+DRM;Sony;KD-55;v1;;)": ("HbbTV", "1.2.1", "Linux", None, "TV", "HbbTV", "Sony", "KD-55", None),
    "Mozilla/5.0 (PlayStation; PlayStation 5/2.26) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/13.0 Safari/605.1.15": ("Safari", "13.0", "Other", None, "Console", "PlayStation 5", "Sony", "PlayStation 5", None),
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; Xbox; Xbox One) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/48.0.2564.82 Safari/537.36 Edge/20.02": ("Edge", "20.02", "Windows", "10", "Console", "Other", None, None, None),
    "Mozilla/5.0 (Nintendo Switch; WifiWebAuthApplet) AppleWebKit/609.4 (KHTML, like Gecko) NF/6.0.2.21.3 NintendoBrowser/5.1.0.22474": ("Other", None, "Other", None, "Console", "Nintendo Switch", "Nintendo", "Switch", None),
    # apps by their network libraries
    "okhttp/4.9.2": ("okhttp", "4.9.2", "Other", None, "Mobile", "Other", None, None, None),
    "Dalvik/2.1.0 (Linux; U; Android 13; Pixel 6 Build/TQ3A.230805.001)": ("Android", "13", "Android", "13", "Mobile", "Pixel 6", "Google", "Pixel 6", None),
    "Dalvik/2.1.0 (Linux; U; Android 13; SM-X200 Build/TP1A.220624.014)": ("Android", "13", "Android", "13", "Tablet", "Samsung SM-X200", "Samsung", "SM-X200", None),
    "MyApp/1.0 CFNetwork/1496.0.7 Darwin/23.5.0": ("MyApp", "1.0", "iOS", "17.5", "Mobile", "iOS-Device", "Apple", "iOS-Device", None),
    "Feedly/87 CFNetwork/1410.0.3 Darwin/22.6.0": ("Feedly", "87", "iOS", "16", "Mobile", "iOS-Device", "Apple", "iOS-Device", None),
    "Shop/5.1 (iPhone; iOS 16.2; Scale/3.00)": ("Mobile Safari UI/WKWebView", None, "iOS", "16.2", "Mobile", "iPhone", "Apple", "iPhone", None),
    "Shop/5.1 (iPad; iOS 15.1; Scale/2.00)": ("Mobile Safari UI/WKWebView", None, "iOS", "15.1", "Tablet", "iPad", "Apple", "iPad", None),
    "Dart/3.4 (dart:io)": ("Other", None, "Other", None, "Other", "Other", None, None, None),
    # bots
    "test": ("Other", None, "Other", None, "Bot", "Other", None, None, "signals"),
    "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.6367.78 Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)": ("Googlebot", "2.1", "Android", "6.0.1", "Bot", "Spider", "Spider", "Smartphone", "ua-parser, crawler-user-agents"),
    "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)": ("bingbot", "2.0", "Other", None, "Bot", "Spider", "Spider", "Desktop", "ua-parser, crawler-user-agents"),
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.0; +https://openai.com/gptbot)": ("GPTBot", "1.0", "Other", None, "Bot", "Spider", "Spider", "Desktop", "ua-parser, crawler-user-agents"),
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/124.0.0.0 Safari/537.36": ("HeadlessChrome", "124.0.0", "Linux", None, "Bot", "Other", None, None, "crawler-user-agents"),
    "Sogou web spider/4.0(+http://www.sogou.com/docs/help/webmasters.htm#07)": ("Sogou web spider", "4.0", "Other", None, "Bot", "Spider", "Spider", "Desktop", "ua-parser, crawler-user-agents"),
    "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)": ("FacebookBot", "1.1", "Other", None, "Bot", "Spider", "Spider", "Desktop", "ua-parser, crawler-user-agents"),
    "python-requests/2.31.0": ("Python Requests", "2.31", "Other", None, "Bot", "Other", None, None, "crawler-user-agents"),
    "curl/8.4.0": ("curl", "8.4.0", "Other", None, "Bot", "Other", None, None, "crawler-user-agents"),
    "Java/1.8.0_292": ("Java", "8.0.292", "Other", None, "Bot", "Spider", "Spider", "Desktop", "ua-parser"),
}  # fmt: skip


class LocalFiles:
    """Files by their path."""

    def local_copy(self, uri: str) -> Path:
        return Path(uri)

    def read_text(self, uri: str) -> str:
        return Path(uri).read_text()

    def list_files(self, uri: str) -> list[str]:
        return sorted(str(path) for path in Path(uri).iterdir() if path.is_file())

    def list_folders(self, uri: str) -> list[str]:
        return sorted(str(path) for path in Path(uri).iterdir() if path.is_dir())


def opened(**options: Any) -> UserAgent:
    enricher = UserAgent(UserAgentOptions(**options), LocalFiles())
    enricher.open()
    return enricher


def table(*agents: str | None, hints: list[str | None] | None = None, **columns: list[Any]) -> pa.Table:
    given_hints = pa.array(hints or [None] * len(agents), pa.string())
    return pa.table({"ua": pa.array(agents, pa.string()), "client_hints": given_hints, **columns})


def enriched(agent: str | None, hints: Any = None, enricher: UserAgent | None = None) -> Row:
    """One event's row; hints are JSON text, or what is to be put as such."""
    text = hints if isinstance(hints, str | None) else json.dumps(hints)
    [row] = (enricher or opened()).enrich(table(agent, hints=[text])).to_pylist()
    return {name.removeprefix("device_ua_"): value for name, value in row.items()}


@pytest.mark.parametrize("agent", AGENTS)
def test_real_user_agents(agent: str) -> None:
    row = enriched(agent)
    names = (
        "browser",
        "browser_version",
        "os",
        "os_version",
        "device_category",
        "device",
        "device_brand",
        "device_model",
        "bot_source",
    )
    assert tuple(row[name] for name in names) == AGENTS[agent]
    assert row["is_bot"] is (row["bot_source"] is not None) is (row["device_category"] == "Bot")
    assert json.loads(row["device_ua"])["string"] == agent


MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36"
ANDROID = "Mozilla/5.0 (Linux; Android 13; {}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Mobile Safari/537.36"
PEOPLE_IN_TROUBLE = {
    "a model that is called a bot": ANDROID.format("M BOT 60"),
    "a model with a comment in it": ANDROID.format("Spider X (2024) Build/TP1A.220624.014; wv"),
    "a language before the model": "Mozilla/5.0 (Linux; U; Android 4.4.2; de-de; Crawler T1 Build/KOT49H) AppleWebKit/534.30 Mobile Safari/534.30",
    "a phone of Cubot": ANDROID.format("CUBOT KINGKONG 9"),
    "a scanner's app": f"{ANDROID.format('SM-A546B; wv')} DocScanner/7.1",
    "an app that names its maker": "Weather/4.1 (Android 14; Pixel 8; https://weather.example)",
    "an app's name and system": "Shop/5.1 iOS/17.5",
    "the network library of Flutter": "Dart/3.8 (dart:io)",
    "a game": "UnityPlayer/6000.0.1f1 (UnityWebRequest/1.0, libcurl/8.10.1-DEV)",
    "an editor": MAC.replace("Chrome/", "Code/1.104.2 Chrome/").replace("Safari/", "Electron/37.3.1 Safari/"),
    "a bank's Internet Explorer": "Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; Banca Lambotti; rv:11.0) like Gecko",
    "Internet Explorer": "Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1; Trident/5.0)",
    "an app's page on a Mac": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)",
    "a browser for terminals": "Lynx/2.9.2 libwww-FM/2.14 SSL-MM/1.4.1 OpenSSL/3.0.13",
    "a rare system": "Mozilla/5.0 (Haiku x86_64) AppleWebKit/605.1.15 (KHTML, like Gecko) WebPositive/1.3 Safari/605.1.15",
    "a television": "Mozilla/5.0 (DTV) AppleWebKit/531.2+ (KHTML, like Gecko) Espial/6.1.5 AQUOSBrowser/2.0 (US01DTV;V;0001;0001)",
    "a loudspeaker": "Linux UPnP/1.0 Sonos/81.1-58074 (ZPS45)",
    "a watch": "atc/1.0 watchOS/7.2 model/Watch5,12 hwp/t8006 build/18S563 (6; dt:234)",
    "an old phone": "HAIER-M600/1.0 Profile/MIDP-2.0 Configuration/CLDC-1.1",
    "all that is left of some browsers": "Mozilla/5.0",
    "a player": "VLC/3.0.21 LibVLC/3.0.21",
    "a player by what it plays": "TeaRadio/2.4",
    "a player of podcasts": "TeaPod 3.1",
    "a player that names its maker": "TeaPodcasts/3.1.4 (+https://teahouse.example)",
    "a player on a desktop that names its maker": "TeaPlayer/12.0 (Windows NT 10.0; Win64; http://www.teahouse.example)",
    "a phone's app that names its maker": "Teahouse/0.3.8 ios https://teahouse.example",
    "a loudspeaker's app": "Teahouse_Speaker_500",
    "a messenger's app on a phone": "WhatsApp/2.20.205.16 Android/9 Device/itel-itel_L5002P",
    "a messenger's app on a desktop": MAC.replace("Chrome/", "WhatsApp/2.2017.6 Chrome/").replace("Safari/", "Electron/6.1.9 Safari/"),
    "an app that only a server's name is known of": "Overcast/3.0 (+http://overcast.fm/; iOS podcast app)",
    "an app with a locale": "Teahouse App/5.5.3 (TEA-NX3; null; es_MX)",
    "an app with its store": "Teahouse/2.8 (Android 4.3; LGE Mako)[clientidbase=android-google]",
    "a program for mail": "TeaMail 4.8 (4320) - Licensed Version",
    "the model of an old phone": "TEAHOUSE-E200",
    "an old phone with Java": "Mozilla/4.0 LG-TEA750 Java/LGVM/1.1 Profile/MIDP-2.1 (compatible; MSIE 4.01; Windows CE; PPC)",
    "the screen of an old phone": "TEAHOUSE-TOUCH/A930/Screen-240X320",
    "a set-top box": "TeaWebKit/531 (Teahouse STB; Linux)",
    "the engine of a television": "Mozilla/5.0 (Teahouse Ewloe;IR-S/3.0.0) TeaWebkit/2.9.2(KHTML, like Gecko)",
    "one of the first browsers": "Mozilla/3.0 (TeaPassport/3.15; Teacast)",
    "a browser of another system": "Mozilla/1.10 [en] (Compatible; RISC OS 3.70; Teagano 1.10)",
    "compatible, with a system": "Mozilla/4.0 (compatible; Lotus-Notes/6.0; Windows-NT)",
    "Konqueror": "Mozilla/5.0 (compatible; Konqueror/3.1-rc5; i686 Linux; 20021219)",
    "a small browser for Linux": "Teabero (X11; U; Gentoo Linux amd64; en-US) Webkit/2.8.5",
    "a provider's browser": "Mozilla/5.0 (Windows; U; Windows NT 6.0; de; rv:1.9.1.6) Gecko/20091201 (WEB.DE/1.5) Firefox/3.5.6",
    "an address in a build": "Mozilla/5.0 (Linux; U; Android 2.3.4; xx; TEA-P698 Build/a@b-c.rev3) AppleWebKit/533.1 Mobile Safari/533.1",
    "a broken browser": "Mozilla/5.0; iPhone; CPU iPhone OS 8_1_2 like Mac OS X; AppleWebKit/600.1.4; KHTML, like Gecko; Mobile/12B440",
}  # fmt: skip
"""Genuine clients that look a little like bots."""

UNLISTED_BOTS = {
    "a word, in any case": "GARDENBOT/0.3",
    "a word in a browser's agent": f"{MAC} TeaCrawler",
    "a phone's agent with a word": f"{ANDROID.format('Pixel 8')} (compatible; teaspider/1.1)",
    "an address": "TeaHouse/2.0 (+https://teahouse.example/why)",
    "an address in a phone's agent": f"{ANDROID.format('Pixel 8')} +http://teahouse.example",
    "an address without a scheme": f"{MAC} (teahouse-watch.com)",
    "a mail address": "Mozilla/5.0 (Windows NT 10.0; Win64; x64; ops@teahouse.example) Gecko/20100101 Firefox/139.0",
    "a library": "tealib-HttpClient/4.2 (Linux)",
    "a library in other letters": "PYTHON-requests/3",
    "a server's program": "teactl/1.4.2 (linux/amd64) go1.24",
    "a check": "Tea Link Checker 2.1 (Windows)",
    "a preview": f"{MAC} TeaChat-LinkPreview/1.0",
    "a monitor": f"{MAC} TeaMonitor",
    "a browser without a head": MAC.replace("Chrome/", "HEADLESSEDGE/"),
    "compatible with nothing": "Mozilla/5.0 (compatible; Teapot/1.0)",
    "a name inside of the engine's comment": MAC.replace("like Gecko)", "like Gecko; Teapot-Render)"),
    "no platform": "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36",
    "cut short": "Mozilla/5.0 (Windows NT 10.0; Win64; x64)",
    "a header's name": f"User-Agent: {MAC}",
    "a name before the agent": f"teahouse/1.0, {MAC}",
    "nothing but a name": "Teapot/1.0",
    "a server that reads podcasts": "TeaPodcasts/1.0 Podcast Sync (12 subscribers; +https://teahouse.example)",
    "a service that writes podcasts down": "TeaPod Transcriber 2.0 (https://teahouse.example)",
    "a comment behind a phone's agent": f"{ANDROID.format('Pixel 8')} (compatible; Tea-AMPHTML)",
    "by whom": f"{MAC} by Teahouse",
    "a library with its version": "Mozilla/5.0 (Windows NT 10.0) Java/17.0.2",
    "compatible with a name": "Mozilla/4.0 (compatible; Teapot Version-3.2)",
    "a container's client": "podman/5.2.1",
    "a service of Google's": "Teapartners-Google",
    "an attack": "${jndi:ldap://teahouse.example/a}",
    "another attack": f"{MAC}' UNION ALL SELECT NULL--",
}


GREASE = [f"Not{first}A{second}Brand" for first in " (:-./);=?_" for second in " (:-./);=?_"]
"""All placeholders that Chromium makes up: https://wicg.github.io/ua-client-hints/#grease."""


@pytest.mark.parametrize("place", [0, 1, 2])
def test_placeholders_are_no_brands(place: int) -> None:
    """Neither to the enricher nor to the columns of GTM's events, wherever in the lists they are."""
    for name in [*GREASE, " Not A;Brand", ";Not A Brand", "(Not(A:Brand", '\\Not"A\\Brand']:
        short, exact = (
            [{"brand": brand, "version": version} for brand in ("Chromium", "Opera")] for version in ("120", "120.0.1")
        )
        for brands in (short, exact):
            brands.insert(place, {"brand": name, "version": "8.0.0.0"})
        text = json.dumps({"brands": short, "full_version_list": exact, "platform": "Windows", "mobile": False})
        columns = gtm_hints(text)
        assert (columns.device_mobile_brand_name, columns.device_ua_browser) == ("Opera", "Opera"), name
        assert (columns.device_ua_browser_version, enriched("", text)["browser"]) == ("120.0.1", "Opera"), name


@pytest.mark.parametrize("agent", PEOPLE_IN_TROUBLE.values(), ids=PEOPLE_IN_TROUBLE)
def test_people_are_no_bots(agent: str) -> None:
    assert (enriched(agent)["bot_source"], enriched(agent)["is_bot"]) == (None, False)


@pytest.mark.parametrize("agent", UNLISTED_BOTS.values(), ids=UNLISTED_BOTS)
def test_bots_that_no_list_knows(agent: str) -> None:
    """Some of these the lists know too: what counts is that they are found."""
    assert enriched(agent)["is_bot"] is True
    assert bots.by_signals(agent)


def test_signals_alone_find_what_a_list_knows() -> None:
    """Signs that hold in general find the list's own examples without it, and take next to no browser for a bot."""
    found = [bots.by_signals(agent) for agent in bots.bots()]
    wrong = [agent for agent in bots.browsers() if bots.by_signals(agent)]
    assert sum(found) >= 0.95 * len(found) > 1_000
    assert len(wrong) <= 0.005 * len(bots.browsers()), wrong


def test_json_text() -> None:
    """All that was read, with what is unknown as null; in a place of its own, compact."""
    agent = "Mozilla/5.0 (iPhone; CPU iPhone OS 16_6_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/16.6 Mobile/15E148 Safari/604.1"
    text = enriched(agent)["device_ua"]
    assert text == json.dumps(json.loads(text), separators=(",", ":"))
    assert json.loads(text) == {
        "string": agent,
        "userAgent": {"family": "Mobile Safari", "major": "16", "minor": "6", "patch": None},
        "os": {"family": "iOS", "major": "16", "minor": "6", "patch": "1", "patchMinor": None},
        "device": {"family": "iPhone", "brand": "Apple", "model": "iPhone"},
    }


WINDOWS = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36"
EDGE = f"{WINDOWS} Edg/124.0.0.0"
MAC = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36"
LINUX = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36"
PHONE = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Mobile Safari/537.36"
TABLET = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/124.0.0.0 Safari/537.36"
IN_APP = f"{PHONE} Instagram 331.0.0.29.90 Android"
TV = "Mozilla/5.0 (Linux; Android 9; BRAVIA 4K UR2) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/85.0.4183.81 Mobile Safari/537.36"


def brands(**versions: str) -> list[dict[str, str]]:
    """A list as browsers send it, with a placeholder; ``_`` in names stands for a blank."""
    named = [{"brand": name.replace("_", " "), "version": version} for name, version in versions.items()]
    return [{"brand": "Not/A)Brand", "version": "99"}, *named]


CHROME = brands(Chromium="124.0.6367.91", Google_Chrome="124.0.6367.91")

# what is tested: (user agent, hints, what the columns are then)
HINTS: dict[str, tuple[str | None, Any, Row]] = {
    "the exact version": (WINDOWS, {"fullVersionList": CHROME}, {"browser": "Chrome", "browser_version": "124.0.6367"}),
    "GTM's spelling": (WINDOWS, {"full_version_list": CHROME}, {"browser": "Chrome", "browser_version": "124.0.6367"}),
    "uaFullVersion": (EDGE, {"brands": brands(Chromium="124", Microsoft_Edge="124"), "uaFullVersion": "124.0.2478.67"}, {"browser": "Edge", "browser_version": "124.0.2478"}),
    "the user agent is more exact": (WINDOWS, {"brands": brands(Google_Chrome="124")}, {"browser": "Chrome", "browser_version": "124.0.0"}),
    "another version, less exact": (WINDOWS, {"brands": brands(Google_Chrome="125")}, {"browser": "Chrome", "browser_version": "125"}),
    "Edge behind Chrome": (WINDOWS, {"fullVersionList": brands(Chromium="124.0.6367.91", Microsoft_Edge="124.0.2478.67")}, {"browser": "Edge", "browser_version": "124.0.2478"}),
    "Edge with its side panel": (WINDOWS, {"brands": brands(Edge_Side_Panel="124", Microsoft_Edge="124", Chromium="124")}, {"browser": "Edge"}),
    "Brave": (WINDOWS, {"brands": brands(Brave="124", Chromium="124")}, {"browser": "Brave", "browser_version": "124"}),
    "an unknown brand": (WINDOWS, {"brands": brands(Chromium="124", Google_Chrome="124", Foo_Browser="7.1")}, {"browser": "Foo Browser", "browser_version": "7.1"}),
    "only Chromium": (WINDOWS, {"brands": brands(Chromium="124")}, {"browser": "Chromium", "browser_version": "124"}),
    "all placeholders": (WINDOWS, {"brands": [{"brand": name} for name in (" Not A;Brand", "Not.A/Brand", "Not;A=Brand", "Not?A_Brand", "(Not(A:Brand", "Not-A.Brand")]}, {"browser": "Chrome"}),
    "Chrome on a phone": (PHONE, {"brands": CHROME, "mobile": True}, {"browser": "Chrome Mobile", "device_category": "Mobile"}),
    "mobile is not said": (PHONE, {"brands": CHROME}, {"browser": "Chrome Mobile", "device_category": "Mobile"}),
    "Opera on a phone": (PHONE, {"brands": brands(Opera="82.0", Chromium="124"), "mobile": True}, {"browser": "Opera Mobile", "browser_version": "82.0"}),
    "Samsung Internet": (PHONE, {"brands": brands(Samsung_Internet="25.0", Chromium="121"), "mobile": True}, {"browser": "Samsung Internet"}),
    "Yandex's two brands": (WINDOWS, {"brands": brands(YaBrowser="24.4", Yowser="2.5", Chromium="122")}, {"browser": "Yandex Browser", "browser_version": "24.4"}),
    "an app's browser keeps its name": (IN_APP, {"brands": brands(Android_WebView="124", Chromium="124"), "platform": "Android", "platformVersion": "14.0.0", "model": "SM-S918B", "mobile": True}, {"browser": "Instagram", "os_version": "14", "device_brand": "Samsung"}),
    "Windows 11": (WINDOWS, {"platform": "Windows", "platformVersion": "15.0.0"}, {"os": "Windows", "os_version": "11", "device_category": "Desktop"}),
    "Windows 10": (WINDOWS, {"platform": "Windows", "platform_version": "10.0.0"}, {"os": "Windows", "os_version": "10"}),
    "Windows 8.1": (WINDOWS, {"platform": "Windows", "platform_version": "0.3"}, {"os": "Windows", "os_version": "8.1"}),
    "Windows 7": (WINDOWS, {"platform": "Windows", "platform_version": "0.1.0"}, {"os": "Windows", "os_version": "7"}),
    "a version that Windows does not have": (WINDOWS, {"platform": "Windows", "platform_version": "0.0.0"}, {"os": "Windows", "os_version": "10"}),
    "macOS, in quotes": (MAC, {"platform": '"macOS"', "platform_version": '"14.5.0"'}, {"os": "Mac OS X", "os_version": "14.5.0", "device": "Mac"}),
    "Chrome OS": (None, {"platform": "Chromium OS", "platformVersion": "16181.61.0"}, {"os": "Chrome OS", "os_version": "16181.61.0", "device_category": "Desktop"}),
    "Linux": (LINUX, {"platform": "Linux", "platformVersion": "6.5.0"}, {"os": "Linux", "os_version": "6.5.0", "device_category": "Desktop"}),
    "Linux is Ubuntu": ("Mozilla/5.0 (X11; Ubuntu; Linux x86_64) Chrome/124.0.0.0", {"platform": "Linux"}, {"os": "Ubuntu"}),
    "a platform without a version": (MAC, {"platform": "macOS"}, {"os": "Mac OS X", "os_version": "10.15.7"}),
    "an empty platform": (MAC, {"platform": "", "mobile": False}, {"os": "Mac OS X", "device_category": "Desktop"}),
    "a frozen phone": (PHONE, {"platform": "Android", "platformVersion": "14.0.0", "model": "Pixel 8 Pro", "mobile": True}, {"os": "Android", "os_version": "14", "device": "Pixel 8 Pro", "device_brand": "Google", "device_model": "Pixel 8 Pro", "device_category": "Mobile"}),
    "a frozen tablet": (TABLET, {"platform": "Android", "platformVersion": "13.0.0", "model": "SM-X710", "mobile": False}, {"os_version": "13", "device": "Samsung SM-X710", "device_brand": "Samsung", "device_model": "SM-X710", "device_category": "Tablet"}),
    "a tablet that says so in its hints only": (PHONE, {"platform": "Android", "mobile": False}, {"device_category": "Tablet"}),
    "a phone that asks for desktop pages": (LINUX, {"platform": "Android", "platformVersion": "14.0.0", "mobile": True}, {"os": "Android", "os_version": "14", "device_category": "Mobile"}),
    "mobile as header": (LINUX, {"mobile": "?1"}, {"device_category": "Mobile"}),
    "a television stays one": (TV, {"platform": "Android", "model": "BRAVIA 4K UR2", "mobile": False}, {"device_category": "TV"}),
    "hints only": (None, {"brands": CHROME, "platform": "Windows", "platform_version": "15.0.0", "mobile": False}, {"browser": "Chrome", "browser_version": "124.0.6367", "os": "Windows", "os_version": "11", "device_category": "Desktop", "device_ua": None, "is_bot": None}),
    "hints of a phone only": ("", {"brands": CHROME, "platform": "Android", "platform_version": "13.0.0", "model": "moto g(30)", "mobile": True}, {"browser": "Chrome Mobile", "os": "Android", "os_version": "13", "device_brand": "Motorola", "device_category": "Mobile", "is_bot": None}),
    "a bot stays one": (f"{PHONE} (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", {"brands": CHROME, "mobile": True}, {"device_category": "Bot", "is_bot": True}),
}  # fmt: skip


@pytest.mark.parametrize("case", HINTS)
def test_client_hints(case: str) -> None:
    agent, hints, expected = HINTS[case]
    row = enriched(agent, hints)
    assert {name: row[name] for name in expected} == expected


@pytest.mark.parametrize(
    "hints",
    ["", "{}", "[]", "null", "7", "{", '"x"', "\x00", '{"brands": 7, "mobile": "maybe", "platform": []}', '{"brands": [7, {}, {"brand": 1}]}',
     '{"a":' * 5000, json.dumps({"platform": "macOS", "model": "x" * 5000}), '{"platform": "Unknown", "platform_version": "12"}', "[" * 100_000,
     '{"architecture": "", "bitness": "", "full_version_list": [], "mobile": false, "model": "", "platform": "", "platform_version": "", "wow64": false}'],
)  # fmt: skip
def test_hints_that_say_nothing(hints: str) -> None:
    for agent in (WINDOWS, PHONE):
        assert {**enriched(agent, hints), "client_hints": None} == enriched(agent)
    assert enriched(None, hints)["device_category"] is None


def test_broken_hints_are_counted() -> None:
    enricher = opened()
    enricher.enrich(table(WINDOWS, MAC, None, hints=["{", '{"platform": "macOS"}', "[]"]))
    assert enricher.failed == 2


def test_brands_in_any_order() -> None:
    listed = brands(Microsoft_Edge="124", Google_Chrome="123", Chromium="122", Foo="1", Yowser="2")
    assert len({enriched(None, {"brands": listed[n:] + listed[:n]})["browser"] for n in range(len(listed))}) == 1


@given(st.text() | st.from_regex(r"(Mozilla/5\.0 )?\(.{0,40}(Android|iPhone|Windows)[^)]{0,40}\).{0,60}"), st.text() | st.recursive(st.none() | st.text() | st.booleans() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["brands", "fullVersionList", "brand", "version", "platform", "platformVersion", "model", "mobile"]), inner)).map(json.dumps))  # fmt: skip
def test_nothing_raises(agent: str, hints: str) -> None:
    encoded = [text.encode("utf-8", "replace").decode() for text in (agent, hints)]
    assert ENRICHER.enrich(table(encoded[0], hints=[encoded[1]])).num_rows == 1


ENRICHER = opened()


def test_contract() -> None:
    assert isinstance(ENRICHER, Enricher)
    info = ENRICHER.info()
    assert json.loads(json.dumps(info)) == info
    assert info["ua-parser-builtins"].isdigit()
    assert info["crawler-user-agents"]
    assert (info["bot_patterns"], info["not_bots"]) == (None, None)


@pytest.mark.parametrize("agent", ["WhatsApp/2.23.20.0 A", "WhatsApp/2.16.1/i", "Overcast/1.0 Podcast Sync (12 subscribers)"])
def test_servers_of_an_app_are_bots(agent: str) -> None:
    """The patterns that spare the apps of the same names still find what fetches previews and feeds for them."""
    assert "crawler-user-agents" in enriched(agent)["bot_source"]


def test_narrowed_patterns_are_still_there() -> None:
    """A new release of the list may have mended its patterns: what we narrow has to be looked at again then."""
    assert TOO_WIDE.keys() <= {each["pattern"] for each in CRAWLER_USER_AGENTS_DATA}


def test_what_was_there_is_kept_only_where_nothing_is_known() -> None:
    """Without a user agent columns stay; with one they are replaced as a whole, even by null."""
    before = {
        "device_ua_browser": ["old"] * 4,
        "device_ua_device_brand": ["old"] * 4,
        "is_bot": [None] * 4,
        "event_id": [1, 2, 3, 4],
    }
    after = opened().enrich(table(None, "", "  ", "curl/8.4.0", **before))
    assert after["device_ua_browser"].to_pylist() == ["old", "old", "old", "curl"]
    assert after["device_ua_device_brand"].to_pylist() == ["old", "old", "old", None]
    assert after["is_bot"].to_pylist() == [None, None, None, True]
    assert after["event_id"].to_pylist() == [1, 2, 3, 4]
    assert after["device_ua_os"].to_pylist() == [None, None, None, "Other"]


@pytest.mark.parametrize("options", [{}, {"bots": "drop"}])
def test_twice_is_once(options: Row) -> None:
    enricher = opened(**options)
    once = enricher.enrich(table(*AGENTS, None, PHONE, hints=[*[None] * (len(AGENTS) + 1), '{"model":"Pixel 8","mobile":true}']))
    assert enricher.enrich(once) == once


@pytest.mark.parametrize("chunks", [0, 1, 2])
def test_empty_batches(chunks: int) -> None:
    empty = pa.chunked_array([pa.array([], pa.string())] * chunks, pa.string())
    after = opened(bots="drop").enrich(pa.table({"ua": empty, "client_hints": empty}))
    assert after.num_rows == 0
    assert set(after.column_names) == {"ua", "client_hints", "is_filtered", *COLUMNS}


def test_columns_without_values() -> None:
    """A batch whose clients sent no user agent at all; columns may be missing, or of no type."""
    after = opened(bots="drop").enrich(pa.table({"ua": pa.nulls(2), "event_id": ["a", "b"]}))
    assert after["is_bot"].to_pylist() == [None, None]
    assert after["is_filtered"].to_pylist() == [False, False]


def test_order_and_batches_change_nothing() -> None:
    agents = [*AGENTS, None] * 3
    whole = opened().enrich(table(*agents)).to_pylist()
    assert [row["ua"] for row in whole] == agents
    backwards = opened()
    assert [backwards.enrich(table(agent)).to_pylist()[0] for agent in reversed(agents)] == whole[::-1]


def test_many_user_agents() -> None:
    """100,000 different ones: what is remembered stays bounded, and every row gets its own values."""
    enricher = opened()
    for start in range(0, 100_000, 20_000):
        agents = [f"Shop/{number}.0 CFNetwork/1496.0.7 Darwin/23.5.0" for number in range(start, start + 20_000)]
        after = enricher.enrich(table(*agents))
        assert after["device_ua_browser_version"].to_pylist() == [f"{number}.0" for number in range(start, start + 20_000)]
    assert enricher._values.cache_info().currsize == KEPT


def test_very_long_user_agents() -> None:
    row = enriched(f"{WINDOWS} {'x' * 1_000_000}")
    assert (row["browser"], row["os"], row["device_category"]) == ("Chrome", "Windows", "Desktop")
    assert len(row["device_ua"]) < 5_000


GOOGLEBOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"


@pytest.mark.parametrize(
    ("bots", "already", "expected"),
    [
        ("drop", None, [False, True, False]),
        ("drop", [True, False, None], [True, True, False]),
        ("keep", [True, False, None], [True, False, None]),
        ("keep", None, None),
    ],
)
def test_drop_or_keep(bots: str, already: list[bool | None] | None, expected: list[bool | None] | None) -> None:
    events = table(WINDOWS, GOOGLEBOT, None, **({"is_filtered": already} if already else {}))
    after = opened(bots=bots).enrich(events)
    assert (after["is_filtered"].to_pylist() if "is_filtered" in after.column_names else None) == expected
    assert after["is_bot"].to_pylist() == [False, True, None]


def test_own_lists(tmp_path: Path) -> None:
    """A list of one's own is a third source; exceptions are stronger than every source."""
    bots, exceptions = tmp_path / "bots.txt", tmp_path / "not-bots.txt"
    bots.write_text("\ufeff# our own\n\n  (?i)acmechecker/\\d  \n^MyApp/\nGooglebot\nshop-probe#2\n")
    exceptions.write_text("bingbot\n  # ours\nacmechecker/9\n")
    enricher = opened(bot_patterns=str(bots), not_bots=str(exceptions))
    sources = {
        "AcmeChecker/2": "signals, list",
        "acmechecker/9": None,
        "MyApp/1.0 CFNetwork/1496.0.7 Darwin/23.5.0": "list",
        "OtherApp/1.0 CFNetwork/1496.0.7 Darwin/23.5.0": None,
        "our own shop-probe#2": "signals, list",
        GOOGLEBOT: "ua-parser, crawler-user-agents, list",
        "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)": None,
        "curl/8.4.0": "crawler-user-agents",
    }
    rows = [enriched(agent, enricher=enricher) for agent in sources]
    assert {row["ua"]: row["bot_source"] for row in rows} == sources
    assert [row["device_category"] == "Bot" for row in rows] == [row["is_bot"] for row in rows]
    assert enricher.info()["bot_patterns"] == {"uri": str(bots), "patterns": 4}
    assert enricher.info()["not_bots"] == {"uri": str(exceptions), "patterns": 2}


def test_empty_list(tmp_path: Path) -> None:
    path = tmp_path / "bots.txt"
    path.write_text("# nothing yet\n")
    assert enriched(WINDOWS, enricher=opened(bot_patterns=str(path)))["is_bot"] is False


def test_every_problem_of_the_lists_at_once(tmp_path: Path) -> None:
    bots, missing = tmp_path / "bots.txt", tmp_path / "missing.txt"
    bots.write_text("Fine\nBad(\n# a comment (\n(?=ahead)\nbot|\n")
    with pytest.raises(ConfigError) as caught:
        opened(bot_patterns=str(bots), not_bots=str(missing))
    lines = str(caught.value).splitlines()
    assert lines[:3] == [
        f"{bots}:2: missing ): Bad(",
        f"{bots}:4: invalid perl operator: (?=",
        f"{bots}:5: it matches every user agent",
    ]
    assert lines[3].startswith(f"{missing}: cannot be read: ")
    assert len(lines) == 4


def test_lists_that_are_no_text_or_too_large(tmp_path: Path) -> None:
    binary, large = tmp_path / "binary", tmp_path / "large"
    binary.write_bytes(b"\xff\xfe\x00")
    large.write_text("\n".join(f"bot{number}.{{900}}" for number in range(400)))
    with pytest.raises(ConfigError) as caught:
        opened(bot_patterns=str(binary), not_bots=str(large))
    first, second = str(caught.value).splitlines()
    assert first.startswith(f"{binary}: cannot be read: ")
    assert second == f"{large}: 400 patterns are too many or too large to be searched for at once"
