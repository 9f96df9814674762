"""Recognises bots that are on no list yet, by words in their user agent, and by missing parts that people's clients have.

Found by halves of the public collections of crawlers' and people's agents, and measured on the other halves
(``python -m benchmarks.bots``).
"""

from __future__ import annotations

import re
from functools import cache

from streaming_app.enrichers.user_agent.client import OTHER
from streaming_app.enrichers.user_agent.device_categories import category_of
from streaming_app.enrichers.user_agent.pattern_lists import Patterns

ANYWHERE = (
    # Names of their kind. "bot" ends a word: Bottle and Abbott are none, and of names that end so Cubot makes phones. Google's
    # services end in its name, as does an app for android-google.
    r"(?i)(?:^|[^u]|[^c]u)bots?(?:[^a-z]|$)|\bb[0o]t\b|robot",
    r"(?i)crawl|crwlr|spider|scrap(?:er|y\b|ing)|slurp|harvest|fetch(?:er|ing|\b)|grabber|\bnutch|archive\.org",
    r"(?i)preview|prerender|screen-?shot|site-?shot|thumbnail|snapshot|link ?(?:check|expand)|url ?(?:check|expand|resolv)",
    r"(?i)monitor(?:ing|\b|/)|uptime|health-?check|synthetic|observatory|validator",
    r"(?i)page ?speed|speed ?test|lighthouse|gtmetrix|\bptst\b",
    r"(?i)headless|phantomjs|slimerjs|puppeteer|playwright|selenium|webdriver|cypress/|devtools|htmlunit|zombie\.js",
    r"(?i)googleweblight|(?:[a-ce-z]|[^i]d)-google\b",
    # What no browser has: a comment inside of the engine's, a name before the agent, a name alone behind Firefox's version.
    r"(?i)\(KHTML, like Gecko(?:;|, Google)|^[\w.-]+(?:/[\w.]+)?[,|] ?Mozilla/|Firefox/[1-9][0-9][\d.]+ [a-z][\w-]*$",
    # What follows where a browser's agent ends.
    r"Safari/[\d.]+ \(compatible;|Safari/[\d.]+ by [A-Z]",
    # Services that give nothing else away.
    r"(?i)googlemessages/|neustar wpm|dejaclick|site24x7|debugbear|functionize|iplabel|yandex\.translate|assetnote",
    # Attacks.
    r"(?i)\$\{|<script|jndi:|load_file|(?:union|\(|or \d+ ?= ?\()[ +]*(?:all[ +]+)?select|sleep\(|<\?=|/etc/passwd",
)
"""Found in any agent, whatever its device."""

CONTACT = r"(?i)https?://|\bwww\.|mailto:|[a-z0-9]@[a-z0-9-]+\.[a-z]"
"""Where to complain: no browser says that. An app may name its maker, where it also names the device that it runs on."""

BARE_ADDRESS = (
    r"(?i)(?:^|[ (;+])[a-z0-9.-]+\.(?:com|net|org|io|de|fr|ru|co|ai|eu|info|uk|cz|it|nl|dev|app|tk)(?:[^a-z0-9./]|/[^\d]|/?$)",
    r"(?i) at [a-z0-9-]+(?: dot |\.)[a-z]",
)
"""An address without its scheme, or ``name at host``. A domain with a version, ``WEB.DE/1.5``, is the name of a browser."""

ON_DESKTOPS = (
    # Words that are also names of apps on phones.
    r"(?i)scann?(?:er|ing)\b|scan/|check(?:er|ing|s|\b|/)|\bprobe|prober\b|capture|verif(?:y|ier)|resolver|expander|snapr|web-?thumb",
    r"(?i)analy[sz]er|analysis\b|optimi[sz]er|inspector|inspici|\baudit|survey|research|experiment|classif|aggregat|index(?:er|ing)\b",
    r"(?i)transcod|translat(?:e|or)\b|\bproxy\b|proxy/|web ?archiv|archiv(?:e|er)\b|extract(?:or|ion)|download(?:er|s\b)",
    r"(?i)backlink|\bseo\b",
    r"(?i)http-?status|agent(?:[/)]|$)|\bgoogle[-_][a-z]|searchby|localsearch|web services",
    # Libraries and the languages that they are written for.
    r"(?i)\bcurl|wget|urllib|^libwww|libwww-perl|\blwp\b|python|\bperl\b|\bphp\b|\bruby\b|\bjava/\d",
    r"(?i)golang|go-http|\bgo [0-9]|node\.?js|powershell",
    r"(?i)http[-_ ]?(?:async)?client|https?x?/|http_|httprequest|axios|guzzle|mechanize|jsoup|winhttp|restsharp",
    r"(?i)rest-client|node-fetch",
    r"(?i)undici|fasthttp|apache-http|kubectl|docker/|podman|kube-probe|wordpress|drupal|browserkit",
    # Servers that read the feeds of podcasts.
    r"(?i)podcast ?(?:sync|import|index|search)|\bsync \(|\d subscribers?\b|feed-?id=|\bimport(?:er)?\b|transcrib|processor",
    r"(?i)pipeline|search ?engine|catalog\b|\bconsumer\b|resizer|preflight|\bdl/\d",
    # A comment that says no more than that it is compatible.
    r"\(compatible\)",
    # A header with its name.
    r"(?i)^(?:user-agent|host|accept):|^(?:get|post) /",
)
"""Found in agents that name no phone, tablet, television or console."""

PLAYERS = (
    r"(?i)quicktime|\bvlc\b|libvlc|itunes|winamp|foobar2000|windows-media|nsplayer|\bmpv\b|libmpv|libbass|^BASS/",
    r"(?i)kodi|xbmc|spotify/[\d.]+ |rhythmbox|clementine|mediamonkey|audacious",
    # Words of what they play, and of programs that fetch podcasts.
    r"(?i)podcast|podd?er\b|pod(?:[/ ]|$)|\bpod[a-z]{3,}|catcher|casts?(?:[/ ]|$)|cast(?:er|ero|box)\b",
    r"(?i)player|music|radio|audio|tuner|video|movie|film|stream(?:ium|er)?(?:[/ ]|$)|\bFM(?:[/ ]|$)|\bsound",
    r"(?i)\bmedia(?:go| ?cent(?:er|re))",
)
"""Players of music, films and podcasts. Many give their maker's address as bots do."""

PHONES = r"(?i)\b(?:ios|ipad|iphone|android)\b"
"""Phones and their systems, in any case: apps that write them so are in no category of device."""

PEOPLE = (
    *PLAYERS,
    # Browsers, also those that say no more than their name.
    r"(?i)NetFront|Opera|Konqueror|Dillo|Mosaic|browser(?:[ /;\d\]]|$)|\bw3m|\be?links\b|\blynx|omniweb|MSIE|fennec|WebExplorer",
    r"(?i)Internet Explorer|AVE-?Front|uzbl|midori|\bsurf/|amaya|arachne|AWeb|iBrowse|Firefox/",
    r"(?i)SeaMonkey|Epiphany|Iceweasel|Flock|Voyager",
    r"(?i)^Mozilla/\d\.\d+ \([^()]+\) (?:AppleWebKit/[^ ]+ \([^()]*\) \w|Gecko/)|^AppleWebKit/|^Mozilla/\d\.\d+$",
    # Systems, devices and what apps are made with that no category knows.
    r"(?i)okhttp|ms-?office|Microsoft Office|^Dart/|^ktor|UnityPlayer|Alamofire|Cronet|ReactNative|\bExpo\b",
    r"(?i)^(?:com|org|net|io|app|de|jp|cn)\.[a-z0-9_]+\.",
    r"(?i)\bFBAN|watch ?OS|\biOS\b|\bi(?:Ph|Pad)[\d,]+|android|Mac[ _]?OS|macOS|Mac_P|Mac \d|OS/2|BeOS|Haiku|Amiga|Palm|RISC ?OS",
    r"(?i)harmony|\bDTV\b|\bWAP|\bUP[./]|DoCoMo|KDDI|J-PHONE|Vodafone|Obigo|BREW|MIDP|MAUI|Maemo|WILLCOM|DDIPOCKET|FOMA|Profile|\bwin\d",
    r"(?i)windows|ViziOS|UPnP/|DLNADOC|Hybridcast|BrightSign|;tpapi;|Sonos|Nokia|Samsung|PS[345]\b",
    r"(?i)Minix|Unix|CYGWIN|Syllable|Inferno|Plan ?9|Garmin|\barm(?:64|v\d)?\b|\bAROS\b|SerenityOS",
    r"(?i)Teleca|SoftBank|\bPDA\b|Psion|EPOC|hiptop|\bSEGA\b|DreamKey|Viera|\bSTB\b|\bmsm\d{4}|device(?:sdk)?/|speaker|\becho/|\bbose\b",
    # The size of a screen, a locale, an engine made from WebKit, three products with their versions, the number of a model, a
    # comment as the first browsers have it.
    r"(?i)screen[=-]\d+x\d+|resolution[=(]|NetSurf|tv\b",
    r"\b[a-z]{2}_[A-Z]{2}\b|[a-df-zA-Z]Web[Kk]it/|^(?:\S+/\S+ +){2}\S+/\S",
    r"^[A-Z]{3,}-[A-Z]*\d+[A-Za-z]*(?:/|$)|^[A-Za-z]+[- _]?[A-Z]{0,3}\d{2,}\w*/|^[A-Z]\w+[-_ ][A-Z]+\d{3,}",
    r"^Mozilla/[1-4]\.\d+ (?:\[[\w.-]+\] )?\((?:[^Cc]|[Cc][^o])|^Mozilla/[1-4]\.\d+ [A-Z]",
    # Programs for mail.
    r"(?i)mail(?:bird)?[/ ]\d|^mutt/|^alpine/|^the bat!|^balsa/|^geary/|^trojita/",
)
"""What a person's client has, of agents that fit no category of device."""

_MODEL = re.compile(r"(Android[^;()]*+;)(?:\s*+[a-z]{2}(?:[-_][a-z]{2})?;)?+[^;()]*+(?:\([^()]*+\)[^;()]*+)*+", re.IGNORECASE)
"""The model of a device with Android, which may be called anything: Spider 8, M BOT 551."""

_BROWSER = re.compile(
    r"(?:Mozilla/|Opera[ /]|E?Links|Lynx|w3m|Konqueror|NCSA|Dillo|NetSurf|.*(?:WebKit/|Gecko/\d))", re.IGNORECASE
)
_LINUX = re.compile(r"linux|X11", re.IGNORECASE)
_CUT_SHORT = re.compile(r"Mozilla/5\.0 \((?![^()]*(?:MSIE|Konqueror))[^()]*+\)")
"""A browser's agent without all behind its platform, but for those of Internet Explorer and Konqueror, which end there."""
_COMPATIBLE = re.compile(r"[Cc]ompatible; *+([^;()]*+)[;+ ]*+(?:\)|$)")
"""A comment of one part, which is a bot's unless that part names a browser: browsers also name their system there."""
_COMPATIBLE_BROWSER = re.compile(
    r"MSP?IE|Konq|Windows|Linux|iCab|Opera|Omni|Web[Pp]os|NetFront|Dillo|X11|Mac|OffByOne|NCBrows|IBrowse|Gecko|ANT|Polaris"
    r"|Mozilla|AWEB|Amiga|Haiku|NetPos|WAP|Teleca|Origyn|Go\.Web|ms-office|.* browser|$",
    re.IGNORECASE,
)
_HELD = frozenset({"Mobile", "Tablet", "TV", "Console"})


def looks_automated(agent: str, system: str, device: str) -> bool:
    """Whether an agent's text shows that no person's client sent it.

    ``system`` and ``device`` are ua-parser's families. An app that gives nothing but its name is taken for a bot: a user's
    list of what is none is stronger.

    >>> looks_automated("LinkWatch/2.0 (+https://example.org/why)", "Other", "Other")
    True
    >>> looks_automated("Mozilla/5.0 (Linux; Android 13; Spider 8) Chrome/124.0.0.0 Mobile Safari/537.36", "Android", "Spider 8")
    False
    """
    text = _MODEL.sub(r"\1", agent) if "ndroid" in agent else agent
    if _patterns(ANYWHERE).found_in(text):
        return True
    category = category_of(agent, system)
    is_browser = _BROWSER.match(agent) is not None
    if category in _HELD:
        return is_browser and _patterns((CONTACT,)).found_in(text)
    if _patterns((*ON_DESKTOPS, CONTACT, *BARE_ADDRESS)).found_in(text) and (is_browser or not _names_only_its_maker(text)):
        return True
    if (category != OTHER and _CUT_SHORT.fullmatch(text)) or _is_compatible_with_nothing(text):
        return True
    if category == OTHER:
        return (device == OTHER or device.startswith("Generic")) and not _patterns(PEOPLE).found_in(agent)
    # A desktop's programs that are no browsers name Windows or macOS; those that name Linux run on servers.
    return not is_browser and _LINUX.search(agent) is not None and not _patterns(PEOPLE).found_in(agent)


def _names_only_its_maker(text: str) -> bool:
    """Whether an agent with an address is a player's or a phone's app, and has no other sign of a bot."""
    return _patterns((*PLAYERS, PHONES)).found_in(text) and not _patterns(ON_DESKTOPS).found_in(text)


def _is_compatible_with_nothing(text: str) -> bool:
    """Whether its comment says to be compatible, and then no more than a name that is no browser's."""
    found = _COMPATIBLE.search(text)
    return found is not None and _COMPATIBLE_BROWSER.match(found[1]) is None


@cache
def _patterns(patterns: tuple[str, ...]) -> Patterns:
    return Patterns(patterns)
