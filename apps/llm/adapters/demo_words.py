"""The words the demo's rules know, in English and German."""

from __future__ import annotations

#: What kin and acquaintance are called, and under which names a relation to them may go.
RELATED = {
    "brother": "sibling", "sister": "sibling", "sibling": "sibling", "twin": "sibling", "half-brother": "sibling", "half-sister": "sibling",
    "bruder": "sibling", "schwester": "sibling", "zwillingsbruder": "sibling", "zwillingsschwester": "sibling",
    "mother": "parent", "father": "parent", "mutter": "parent", "vater": "parent",
    "son": "child", "daughter": "child", "sohn": "child", "tochter": "child",
    "wife": "partner", "husband": "partner", "partner": "partner", "girlfriend": "partner", "boyfriend": "partner", "fiancée": "partner",
    "ehefrau": "partner", "ehemann": "partner", "frau": "partner", "mann": "partner", "freundin": "friend", "freund": "friend",
    "uncle": "relative", "aunt": "relative", "cousin": "relative", "grandmother": "relative", "grandfather": "relative", "nephew": "relative",
    "niece": "relative", "onkel": "relative", "tante": "relative", "cousine": "relative", "großmutter": "relative", "großvater": "relative",
    "friend": "friend", "neighbour": "friend", "neighbor": "friend", "nachbar": "friend", "nachbarin": "friend",
    "boss": "boss", "manager": "boss", "editor": "boss", "chef": "boss", "chefin": "boss", "vorgesetzte": "boss", "vorgesetzter": "boss",
    "colleague": "colleague", "kollege": "colleague", "kollegin": "colleague", "assistant": "colleague", "enemy": "enemy", "rival": "enemy",
    "feind": "enemy", "rivale": "enemy", "mentor": "boss", "student": "colleague",
}  # fmt: skip
#: Names of relations that hold for all of a kind.
GROUPS = {
    "sibling": ("sibling", "siblings", "geschwister", "family", "familie", "relatives"),
    "parent": ("parent", "parents", "eltern", "elternteil", "family", "familie", "relatives"),
    "child": ("child", "children", "kinder", "kind", "family", "familie", "relatives"),
    "partner": ("partner", "spouse", "ehepartner", "family", "familie"),
    "relative": ("relative", "relatives", "family", "familie", "verwandte"),
    "friend": ("friend", "friends", "freunde", "knows", "kennt", "contacts"),
    "boss": ("boss", "reports to", "supervisor", "vorgesetzte", "knows", "kennt"),
    "colleague": ("colleague", "colleagues", "team", "kollegen", "works with", "knows", "kennt"),
    "enemy": ("enemy", "enemies", "feinde", "knows", "kennt"),
}
#: Those that hold in both directions, as whole groups.
BOTH_WAYS = {"sibling", "partner", "relative", "friend", "colleague", "enemy"}
TRANSLATED = {
    "bruder": "brother", "schwester": "sister", "mutter": "mother", "vater": "father", "sohn": "son", "tochter": "daughter",
    "ehefrau": "wife", "frau": "wife", "ehemann": "husband", "mann": "husband", "freund": "friend", "freundin": "friend", "onkel": "uncle",
    "tante": "aunt", "großmutter": "grandmother", "großvater": "grandfather", "chef": "boss", "chefin": "boss", "kollege": "colleague",
    "kollegin": "colleague", "feind": "enemy", "nachbar": "neighbour", "nachbarin": "neighbour", "rivale": "rival",
}  # fmt: skip
ANY_RELATION = (
    "related to",
    "relations",
    "relationships",
    "relationship",
    "relation",
    "related",
    "connections",
    "beziehungen",
    "beziehung",
)
PLACE_RELATION = (
    "location",
    "place",
    "city",
    "ort",
    "locations",
    "places",
    "setting",
)
#: Where somebody is said to live; where they are at work, or what they are after there, is no home.
HOME_RELATION = ("lives in", "lives at", "home", "residence", "wohnt in", "wohnort")

OCCUPATIONS = {
    *["actor", "actress", "accountant", "architect", "artist", "baker", "barista", "bartender", "biologist", "bookseller", "broker", "builder", "butcher", "captain", "carpenter", "chef"],
    *["chemist", "clerk", "coach", "composer", "consultant", "cook", "dancer", "dentist", "designer", "detective", "developer", "diplomat", "director", "diver", "doctor", "driver"],
    *["economist", "editor", "electrician", "engineer", "farmer", "fisherman", "fisher", "gardener", "guard", "guitarist", "hacker", "historian", "inspector", "investigator"],
    *["journalist", "judge", "lawyer", "lecturer", "librarian", "locksmith", "manager", "mayor", "mechanic", "merchant", "midwife", "miner", "minister", "model", "musician"],
    *["novelist", "nurse", "officer", "painter", "paramedic", "pharmacist", "photographer", "physicist", "pianist", "pilot", "plumber", "poet", "policeman", "policewoman"],
    *["politician", "priest", "producer", "professor", "programmer", "psychologist", "reporter", "researcher", "sailor", "salesman", "scientist", "sculptor", "secretary"],
    *["sergeant", "singer", "smuggler", "soldier", "spy", "student", "surgeon", "tailor", "teacher", "technician", "therapist", "thief", "trader", "translator", "tutor", "vet"],
    *["violinist", "waiter", "waitress", "watchmaker", "welder", "writer"],
    *["anwalt", "anwältin", "apotheker", "apothekerin", "architektin", "arzt", "ärztin", "autor", "autorin", "bäcker", "bäckerin", "bauer", "bäuerin", "bibliothekar"],
    *["bibliothekarin", "buchhändler", "buchhändlerin", "chemiker", "chemikerin", "designerin", "detektiv", "detektivin", "dichter", "dichterin", "entwickler"],
    *["entwicklerin", "erzieher", "erzieherin", "fischer", "fotograf", "fotografin", "friseur", "friseurin", "gärtner", "gärtnerin", "geschäftsführer"],
    *["geschäftsführerin", "händler", "händlerin", "hebamme", "historiker", "historikerin", "informatiker", "informatikerin", "ingenieur", "ingenieurin"],
    *["journalistin", "kapitän", "kapitänin", "kellner", "kellnerin", "koch", "köchin", "komponist", "komponistin", "krankenpfleger", "krankenschwester", "künstler"],
    *["künstlerin", "lehrer", "lehrerin", "maler", "malerin", "matrose", "mechaniker", "mechanikerin", "metzger", "musiker", "musikerin", "physiker", "physikerin", "pilotin"],
    *["pfarrer", "pfarrerin", "polizist", "polizistin", "professorin", "programmierer", "programmiererin", "reporterin", "richter", "richterin", "sänger", "sängerin"],
    *["schauspieler", "schauspielerin", "schneider", "schneiderin", "schreiner", "schriftsteller", "schriftstellerin", "sekretär", "sekretärin", "soldat"],
    *["soldatin", "steuerberater", "steuerberaterin", "studentin", "tänzer", "tänzerin", "taxifahrer", "taxifahrerin", "tierarzt", "tierärztin", "tischler"],
    *["übersetzer", "übersetzerin", "verkäufer", "verkäuferin", "wirt", "wirtin", "wissenschaftler", "wissenschaftlerin", "zahnarzt", "zahnärztin"],
}  # fmt: skip
QUALIFIERS = {
    *[
        "police",
        "investigative",
        "senior",
        "junior",
        "retired",
        "former",
        "freelance",
        "private",
        "young",
        "old",
        "famous",
        "successful",
        "ambitious",
        "corrupt",
        "stubborn",
    ],
    *[
        "software",
        "taxi",
        "bus",
        "truck",
        "train",
        "school",
        "marine",
        "civil",
        "war",
        "crime",
        "night",
        "head",
        "chief",
        "assistant",
        "medical",
    ],
}

GIVEN = {
    *["Aisha", "Alex", "Alexander", "Alice", "Amelia", "Amir", "Ana", "André", "Andrea", "Andreas", "Anna", "Anne", "Antonio", "António", "Ava", "Beatriz", "Ben", "Benjamin", "Carla", "Carlos"],
    *["Catarina", "Charles", "Charlotte", "Chen", "Chloe", "Christian", "Clara", "Claudia", "Daniel", "David", "Diana", "Diego", "Eduardo", "Elena", "Elias", "Elizabeth", "Ella", "Emil"],
    *["Emilia", "Emily", "Emma", "Eric", "Erik", "Eva", "Felix", "Finn", "Francisco", "Frank", "Fatima", "Gabriel", "George", "Grace", "Greta", "Hannah", "Hans", "Helen", "Helena", "Henry", "Ines"],
    *["Ingrid", "Isabel", "Isabella", "Jack", "Jacob", "James", "Jan", "Jane", "Joana", "João", "Johann", "John", "Jonas", "Jorge", "José", "Joseph", "Julia", "Julian", "Karl", "Kate", "Katharina"],
    *["Laura", "Lena", "Leo", "Leon", "Leonor", "Liam", "Lily", "Lina", "Lisa", "Louis", "Luca", "Lucas", "Lucy", "Luis", "Luís", "Luisa", "Lukas", "Manuel", "Marco", "Maria", "Marie", "Mark", "Marta"],
    *["Martin", "Mary", "Mateo", "Matilde", "Max", "Maximilian", "Mia", "Michael", "Miguel", "Mohamed", "Monika", "Nadia", "Nina", "Noah", "Nora", "Olga", "Oliver", "Olivia", "Omar", "Oscar"],
    *["Otto", "Pablo", "Patricia", "Paul", "Paula", "Paulo", "Pedro", "Peter", "Petra", "Philipp", "Rachel", "Rafael", "Rebecca", "Ricardo", "Richard", "Rita", "Robert", "Rosa", "Rui", "Ruth"],
    *["Sam", "Samuel", "Sandra", "Sara", "Sarah", "Sebastian", "Sofia", "Sophia", "Sophie", "Stefan", "Stella", "Susanne", "Teresa", "Theo", "Thomas", "Tiago", "Tim", "Tobias", "Tom", "Tomas"],
    *["Tomás", "Uwe", "Valentina", "Vera", "Victor", "Vincent", "Walter", "Wei", "William", "Wolfgang", "Yasmin", "Yuki", "Zoe", "Ada", "Alan", "Marlene", "Heike", "Klaus", "Jürgen"],
}  # fmt: skip
NO_NAMES = {
    *["The", "A", "An", "She", "He", "They", "It", "We", "You", "I", "This", "That", "These", "Those", "There", "Here", "His", "Her", "Their", "My", "Our", "Your", "Its", "In", "On", "At", "To", "From", "Of", "And", "Or", "But", "When"],
    *["While", "After", "Before", "During", "Since", "Until", "If", "As", "By", "For", "With", "Without", "Not", "No", "Yes", "Mr", "Mrs", "Ms", "Dr", "Prof", "Please", "Today", "Tomorrow", "Yesterday"],
    *["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday", "January", "February", "March", "April", "May", "June", "July", "August", "September", "October"],
    *["November", "December", "English", "German", "Portuguese", "French", "Spanish", "American", "British", "European", "Who", "What", "Where", "Why", "How", "Which", "Both", "Once"],
    *["Der", "Die", "Das", "Den", "Dem", "Des", "Ein", "Eine", "Einen", "Einem", "Einer", "Er", "Sie", "Es", "Wir", "Ihr", "Ich", "Du", "Sein", "Seine", "Ihre", "Mein", "Meine", "Unser", "Und", "Oder", "Aber", "Als", "Wenn"],
    *["Dann", "Dort", "Hier", "Heute", "Morgen", "Gestern", "In", "Im", "Am", "An", "Auf", "Aus", "Bei", "Mit", "Nach", "Von", "Vom", "Zu", "Zum", "Zur", "Für", "Über", "Unter", "Herr", "Frau", "Nicht", "Ja", "Nein"],
    *["Januar", "Februar", "März", "Mai", "Juni", "Juli", "Oktober", "Dezember", "Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag", "Wer", "Was", "Wo"],
    *["Create", "Add", "Make", "Extract", "Note", "Then", "Also", "However", "Two", "Three", "One", "Zwei", "Drei", "Inc", "Ltd", "GmbH", "AG", "Hello", "Hi", "Hallo", "Bitte", "Danke", "Thanks"],
}  # fmt: skip
PARTICLES = {"von", "van", "de", "da", "do", "dos", "del", "di", "la", "le", "der", "den", "bin", "al", "zu", "zur"}

PEOPLE_SLUGS = (
    *["people", "person", "persons", "character", "characters", "contact", "contacts", "customer", "customers", "client", "clients", "employee", "employees", "member", "members"],
    *["team", "user", "users", "cast", "actor", "actors", "author", "authors", "patient", "patients", "student", "students", "personen", "figuren", "figur", "charaktere", "kontakte"],
    *["kunden", "mitarbeiter", "mitglieder", "suspect", "suspects", "witness", "witnesses", "applicant", "applicants", "candidate", "candidates", "leute"],
)  # fmt: skip
PLACE_SLUGS = (
    *["place", "places", "location", "locations", "city", "cities", "setting", "settings", "venue", "venues", "site", "sites", "country", "countries", "orte", "ort", "schauplätze"],
    *["schauplatz", "städte", "stadt", "drehorte", "standorte"],
)  # fmt: skip

#: What a property is, by words of its name.
MEANINGS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("email", ("email", "e mail", "mail")),
    ("phone", ("phone", "telephone", "mobile", "telefon", "handy", "tel")),
    ("given", ("first name", "given name", "forename", "vorname")),
    ("surname", ("last name", "surname", "family name", "nachname", "familienname")),
    ("age", ("age", "alter", "years old")),
    ("born", ("born", "birth", "birthday", "birthdate", "geboren", "geburtstag", "geburtsdatum")),
    ("occupation", ("occupation", "job", "profession", "role", "position", "beruf", "rolle", "job title", "career", "work")),
    ("amount", ("amount", "price", "cost", "budget", "salary", "total", "sum", "betrag", "preis", "kosten", "gehalt", "summe", "value")),
    ("currency", ("currency", "währung")),
    ("home", HOME_RELATION),
    ("place", ("city", "place", "location", "town", "ort", "stadt", "country", "land", "setting")),
    ("date", ("date", "datum", "day", "when", "deadline", "due", "tag", "termin")),
    ("name", ("name", "full name", "title", "titel", "label", "bezeichnung")),
    ("about", ("description", "about", "summary", "bio", "biography", "beschreibung", "zusammenfassung", "subject", "problem", "notes", "note")),
    ("about", ("notizen", "text", "details", "background", "hintergrund", "backstory", "story")),
    ("wish", ("motivation", "goal", "goals", "ziel", "ziele", "wants")),
)  # fmt: skip
