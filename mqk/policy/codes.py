"""The table of diagnostic codes: what each number stands for, in a few words.

One code, one kind of fault, for ever: a retired code is not given out again. The wording of a single diagnostic
lives where it is raised.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

# 10xx: the file as YAML. 11xx: keys and values against the schema. 12xx: references, layers, dates.
# 13xx: expressions. 14xx: guards (mqk.guards).
CODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "MQK-1001": "not readable as YAML",
        "MQK-1002": "not UTF-8",
        "MQK-1003": "a character that has no place in a policy",
        "MQK-1004": "a tab",
        "MQK-1005": "a key written twice",
        "MQK-1006": "an anchor",
        "MQK-1007": "an alias",
        "MQK-1008": "a merge key",
        "MQK-1009": "a tag",
        "MQK-1010": "a YAML directive",
        "MQK-1011": "more than one document in a file",
        "MQK-1012": "no document in a file",
        "MQK-1013": "a document that is not a mapping",
        "MQK-1014": "a key that is not a word",
        "MQK-1015": "a dotted key",
        "MQK-1016": "a file that is too large",
        "MQK-1017": "nesting that is too deep",
        "MQK-1018": "a file that cannot be read, or a folder without policies",
        "MQK-1019": "too many faults in one file",
        "MQK-1101": "an unknown key",
        "MQK-1102": "a missing key",
        "MQK-1103": "an unknown kind of document",
        "MQK-1104": "a value of the wrong shape",
        "MQK-1105": "a word that is not one of the choices",
        "MQK-1106": "a malformed name",
        "MQK-1107": "a key without a value",
        "MQK-1108": "an item written twice",
        "MQK-1109": "too few or too many items",
        "MQK-1110": "a value that cannot be read",
        "MQK-1111": "a unit that is missing or does not fit",
        "MQK-1112": "more digits than the type holds",
        "MQK-1113": "a number too large to hold",
        "MQK-1114": "a value out of range",
        "MQK-1115": "not a yes or no",
        "MQK-1116": "a key that has no place here",
        "MQK-1117": "a period that ends before it begins",
        "MQK-1118": "an id written twice",
        "MQK-1119": "a cell of a table that cannot be read",
        "MQK-1120": "something that looks like a secret",
        "MQK-1121": "a row of a table that does not fit its columns",
        "MQK-1122": "a key that is not one engine's own",
        "MQK-1123": "a claim about nothing",
        "MQK-1124": "a waiver that lasts too long",
        "MQK-1125": "an approval by those who asked for it",
        "MQK-1126": "a loosening of what the document does not say",
        "MQK-1201": "a reference to nothing",
        "MQK-1202": "a reference to another kind of document",
        "MQK-1203": "documents that extend each other in a circle",
        "MQK-1204": "two documents with one id",
        "MQK-1205": "versions of one id that overlap",
        "MQK-1206": "versions of one id that leave a gap",
        "MQK-1207": "a limit that changes its type between layers",
        "MQK-1208": "an effective policy with a hole",
        "MQK-1209": "an unknown engine",
        "MQK-1210": "nothing in force on the day",
        "MQK-1211": "an effective policy without such a key",
        "MQK-1212": "an unknown overlay, or one out of its place",
        "MQK-1213": "an unknown state",
        "MQK-1214": "not exactly one initial state",
        "MQK-1215": "two transitions that cannot be told apart",
        "MQK-1216": "an enforcement level for an unknown rule",
        "MQK-1217": "one name with two meanings",
        "MQK-1218": "settings that contradict each other",
        "MQK-1219": "a loosening with nothing beneath it",
        "MQK-1220": "a waiver of an unknown rule",
        "MQK-1221": "a rule that is not waivable",
        "MQK-1222": "two waivers of the same",
        "MQK-1223": "a mandatory limit that is not set",
        "MQK-1224": "an allocation of more than there is",
        "MQK-1225": "an engine beyond its part",
        "MQK-1226": "a symbol that is not the engine's to trade",
        "MQK-1227": "a symbol that two engines may trade",
        "MQK-1228": "a key that two engines use",
        "MQK-1301": "an expression that does not parse",
        "MQK-1302": "an unknown name in an expression",
        "MQK-1303": "types that do not fit in an expression",
        "MQK-1304": "units that do not fit in an expression",
        "MQK-1305": "a value in an expression that cannot be read",
        "MQK-1306": "an expression that is too large",
        "MQK-1401": "a limit that nothing reads",
        "MQK-1403": "a fact that nobody knows, or a value it cannot have",
        "MQK-1404": "a strategy with parameters it cannot have",
        "MQK-1405": "a confirmation with a word that nothing fills in",
        "MQK-1420": "a layer that loosens what lies beneath without saying so",
        "MQK-1421": "a layer that is not proven to only tighten",
        "MQK-1422": "a rule that never fires",
        "MQK-1423": "a rule that always fires",
        "MQK-1424": "a state that nothing reaches",
        "MQK-1425": "a state that nothing leaves",
        "MQK-1426": "two transitions that may apply at once",
        "MQK-1427": "an invariant that does not hold",
        "MQK-1428": "a claim that does not hold",
        "MQK-1429": "a claim or an invariant that is not proven",
        "MQK-1450": "a test of an unknown rule, or at another point than the rule's",
        "MQK-1451": "a test with a fact that does not exist there",
        "MQK-1452": "a test with a value that cannot be read",
        "MQK-1453": "a baseline that no case uses",
        "MQK-1454": "a case without an expectation",
        "MQK-1455": "two cases with one name",
        "MQK-1456": "an outcome that does not exist at the point",
        "MQK-1457": "an unknown baseline",
        "MQK-1458": "a test of no engine, or of an unknown one",
        "MQK-1459": "a test without a case",
    }
)

# What mqk.quantity and mqk.dsl call their faults, as codes.
QUANTITY_CODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "syntax": "MQK-1110",
        "unit": "MQK-1111",
        "precision": "MQK-1112",
        "overflow": "MQK-1113",
        "sign": "MQK-1114",
        "range": "MQK-1114",
    }
)
EXPRESSION_CODES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "syntax": "MQK-1301",
        "name": "MQK-1302",
        "type": "MQK-1303",
        "unit": "MQK-1304",
        "value": "MQK-1305",
        "limit": "MQK-1306",
    }
)
