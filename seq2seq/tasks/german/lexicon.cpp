// The content words, adverbs, prepositions and linkers: one row a word.
#include <weft/seq2seq/tasks/german/lexicon.h>

namespace weft::grammar {
namespace {

// clang-format off
constexpr auto m = Gender::masculine, f = Gender::feminine, n = Gender::neuter;

constexpr Noun kNouns[] = {
    // English, plural, gender, German, plural, kinds, other singular cases
    {"nurse", "nurses", f, "Krankenschwester", "Krankenschwestern", kPerson | kAdult},
    {"child", "children", n, "Kind", "Kinder", kPerson},
    {"boy", "boys", m, "Junge", "Jungen", kPerson, "Jungen"},
    {"girl", "girls", n, "Mädchen", "Mädchen", kPerson},
    {"teacher", "teachers", m, "Lehrer", "Lehrer", kPerson | kAdult},
    {"student", "students", m, "Student", "Studenten", kPerson | kAdult, "Studenten"},
    {"doctor", "doctors", m, "Arzt", "Ärzte", kPerson | kAdult},
    {"uncle", "uncles", m, "Onkel", "Onkel", kPerson | kAdult},
    {"aunt", "aunts", f, "Tante", "Tanten", kPerson | kAdult},
    {"sister", "sisters", f, "Schwester", "Schwestern", kPerson | kAdult},
    {"friend", "friends", m, "Freund", "Freunde", kPerson | kAdult},

    {"dog", "dogs", m, "Hund", "Hunde", kAnimal},
    {"cat", "cats", f, "Katze", "Katzen", kAnimal},
    {"horse", "horses", n, "Pferd", "Pferde", kAnimal},
    {"bird", "birds", m, "Vogel", "Vögel", kAnimal},

    {"apple", "apples", m, "Apfel", "Äpfel", kFood},
    {"cake", "cakes", m, "Kuchen", "Kuchen", kFood},
    {"egg", "eggs", n, "Ei", "Eier", kFood | kCookable},
    {"soup", "soups", f, "Suppe", "Suppen", kFood | kCookable},
    {"coffee", "", m, "Kaffee", "", kDrink},
    {"milk", "", f, "Milch", "", kDrink},
    {"water", "", n, "Wasser", "", kDrink},

    {"book", "books", n, "Buch", "Bücher", kText | kThing},
    {"letter", "letters", m, "Brief", "Briefe", kText},
    {"dress", "dresses", n, "Kleid", "Kleider", kClothes},
    {"coat", "coats", m, "Mantel", "Mäntel", kClothes},
    {"jacket", "jackets", f, "Jacke", "Jacken", kClothes},
    {"door", "doors", f, "Tür", "Türen", kOpening},
    {"window", "windows", n, "Fenster", "Fenster", kOpening},
    {"radio", "radios", n, "Radio", "Radios", kDevice | kThing},
    {"lamp", "lamps", f, "Lampe", "Lampen", kDevice | kThing},
    {"car", "cars", n, "Auto", "Autos", kVehicle},
    {"bag", "bags", f, "Tasche", "Taschen", kOpening | kThing},
    {"table", "tables", m, "Tisch", "Tische", kThing},

    {"garden", "gardens", m, "Garten", "Gärten", kPlace},
    {"forest", "forests", m, "Wald", "Wälder", kPlace},
    {"city", "cities", f, "Stadt", "Städte", kPlace},
    {"kitchen", "kitchens", f, "Küche", "Küchen", kPlace},
    {"house", "houses", n, "Haus", "Häuser", kPlace | kBuilding},
    {"school", "schools", f, "Schule", "Schulen", kPlace | kBuilding},
};

constexpr Kinds kAlive = kPerson | kAnimal;
constexpr Kinds kGoods = kClothes | kThing | kVehicle;

constexpr bool kLasting = true;

constexpr Adjective kAdjectives[] = {
    // English, German, stem, kinds, lasting
    {"old", "alt", "alt", kAdult | kAnimal | kGoods | kBuilding | kOpening, kLasting},
    {"young", "jung", "jung", kAdult | kAnimal, kLasting},
    {"big", "groß", "groß", kAnimal | kThing | kVehicle | kPlace | kOpening, kLasting},
    {"small", "klein", "klein", kAnimal | kThing | kVehicle | kPlace | kOpening | kFood, kLasting},
    {"new", "neu", "neu", kGoods | kText | kBuilding | kOpening, kLasting},
    {"red", "rot", "rot", kClothes | kVehicle | kThing, kLasting},
    {"expensive", "teuer", "teur", kClothes | kThing | kVehicle, kLasting},
    {"dark", "dunkel", "dunkl", kPlace | kClothes, kLasting},
    {"cold", "kalt", "kalt", kFood | kDrink},
    {"fresh", "frisch", "frisch", kFood | kDrink, kLasting},
    {"tired", "müde", "müd", kAlive},
    {"hungry", "hungrig", "hungrig", kAlive},
    {"sad", "traurig", "traurig", kPerson},
};

constexpr bool kSein = true;

constexpr Verb kVerbs[] = {
    // English, German, frame, subjects, objects, roles, lasting
    {{"sleep", "sleeps", "slept"}, {"schlafen", "schläft", "geschlafen"},
     Frame::intransitive, kAlive, 0, kLocation},
    {{"work", "works", "worked"}, {"arbeiten", "arbeitet", "gearbeitet"},
     Frame::intransitive, kPerson, 0, kLocation | kCompanion},
    {{"dance", "dances", "danced"}, {"tanzen", "tanzt", "getanzt"},
     Frame::intransitive, kPerson, 0, kLocation | kCompanion},
    {{"sing", "sings", "sung"}, {"singen", "singt", "gesungen"},
     Frame::intransitive, kPerson, 0, kLocation | kBeneficiary},
    {{"play", "plays", "played"}, {"spielen", "spielt", "gespielt"},
     Frame::intransitive, kAlive, 0, kLocation | kCompanion},
    {{"wait", "waits", "waited"}, {"warten", "wartet", "gewartet"},
     Frame::intransitive, kAlive, 0, kLocation},
    {{"wake", "wakes", "woken", "up"}, {"wachen", "wacht", "gewacht", "auf", kSein},
     Frame::intransitive, kAlive},
    {{"arrive", "arrives", "arrived"}, {"kommen", "kommt", "gekommen", "an", kSein},
     Frame::intransitive, kPerson, 0, kLocation},

    {{"go", "goes", "gone"}, {"gehen", "geht", "gegangen", "", kSein},
     Frame::motion, kPerson, 0, kGoal},
    {{"run", "runs", "run"}, {"laufen", "läuft", "gelaufen", "", kSein},
     Frame::motion, kAlive, 0, kGoal},
    {{"come", "comes", "come"}, {"kommen", "kommt", "gekommen", "", kSein},
     Frame::motion, kAlive, 0, kOrigin},

    {{"see", "sees", "seen"}, {"sehen", "sieht", "gesehen"},
     Frame::accusative, kAlive, kAlive | kBuilding | kVehicle},
    {{"know", "knows", "known"}, {"kennen", "kennt", "gekannt"},
     Frame::accusative, kPerson, kPerson | kBuilding, 0, kLasting},
    {{"love", "loves", "loved"}, {"lieben", "liebt", "geliebt"},
     Frame::accusative, kPerson, kAlive, 0, kLasting},
    {{"visit", "visits", "visited"}, {"besuchen", "besucht", "besucht"},
     Frame::accusative, kPerson, kPerson},
    {{"find", "finds", "found"}, {"finden", "findet", "gefunden"},
     Frame::accusative, kPerson, kAnimal | kGoods | kText},
    {{"buy", "buys", "bought"}, {"kaufen", "kauft", "gekauft"},
     Frame::accusative, kPerson, kGoods | kFood, kBeneficiary},
    {{"need", "needs", "needed"}, {"brauchen", "braucht", "gebraucht"},
     Frame::accusative, kPerson, kGoods | kText, 0, kLasting},
    {{"eat", "eats", "eaten"}, {"essen", "isst", "gegessen"},
     Frame::accusative, kPerson, kFood, kLocation},
    {{"cook", "cooks", "cooked"}, {"kochen", "kocht", "gekocht"},
     Frame::accusative, kPerson, kCookable, kLocation | kBeneficiary},
    {{"drink", "drinks", "drunk"}, {"trinken", "trinkt", "getrunken"},
     Frame::accusative, kPerson, kDrink, kLocation},
    {{"write", "writes", "written"}, {"schreiben", "schreibt", "geschrieben"},
     Frame::accusative, kPerson, kText, kLocation},
    {{"repair", "repairs", "repaired"}, {"reparieren", "repariert", "repariert"},
     Frame::accusative, kPerson, kDevice, kLocation | kBeneficiary},
    {{"wash", "washes", "washed"}, {"waschen", "wäscht", "gewaschen"},
     Frame::accusative, kPerson, kClothes, kLocation},
    {{"wear", "wears", "worn"}, {"tragen", "trägt", "getragen"},
     Frame::accusative, kPerson, kClothes},

    {{"open", "opens", "opened"}, {"machen", "macht", "gemacht", "auf"},
     Frame::accusative, kPerson, kOpening},
    {{"close", "closes", "closed"}, {"machen", "macht", "gemacht", "zu"},
     Frame::accusative, kPerson, kOpening},
    {{"turn", "turns", "turned", "on"}, {"machen", "macht", "gemacht", "an"},
     Frame::accusative, kPerson, kDevice},
    {{"call", "calls", "called"}, {"rufen", "ruft", "gerufen", "an"},
     Frame::accusative, kPerson, kPerson},
    {{"invite", "invites", "invited"}, {"laden", "lädt", "geladen", "ein"},
     Frame::accusative, kPerson, kPerson},
    {{"pick", "picks", "picked", "up"}, {"holen", "holt", "geholt", "ab"},
     Frame::accusative, kPerson, kPerson},

    {{"help", "helps", "helped"}, {"helfen", "hilft", "geholfen"},
     Frame::dative, kPerson, kAlive, kLocation},
    {{"thank", "thanks", "thanked"}, {"danken", "dankt", "gedankt"},
     Frame::dative, kPerson, kPerson},
    {{"answer", "answers", "answered"}, {"antworten", "antwortet", "geantwortet"},
     Frame::dative, kPerson, kPerson},
    {{"follow", "follows", "followed"}, {"folgen", "folgt", "gefolgt", "", kSein},
     Frame::dative, kAlive, kAlive},

    {{"give", "gives", "given"}, {"geben", "gibt", "gegeben"},
     Frame::ditransitive, kPerson, kGoods | kText | kFood},
    {{"show", "shows", "shown"}, {"zeigen", "zeigt", "gezeigt"},
     Frame::ditransitive, kPerson, kGoods | kText | kAnimal},
    {{"send", "sends", "sent"}, {"schicken", "schickt", "geschickt"},
     Frame::ditransitive, kPerson, kText},

    {{"know", "knows", "known"}, {"wissen", "weiß", "gewusst", "", !kSein, "weiß"},
     Frame::that_clause, kPerson},
    {{"say", "says", "said"}, {"sagen", "sagt", "gesagt"}, Frame::that_clause, kPerson},
    {{"believe", "believes", "believed"}, {"glauben", "glaubt", "geglaubt"},
     Frame::that_clause, kPerson},
    {{"ask", "asks", "asked"}, {"fragen", "fragt", "gefragt"}, Frame::whether_clause, kPerson},
};

constexpr Preposition kPrepositions[] = {
    {"in", "in", Case::dative, kLocation, kPlace},
    {"behind", "hinter", Case::dative, kLocation, kBuilding},
    {"in front of", "vor", Case::dative, kLocation, kBuilding},
    {"into", "in", Case::accusative, kGoal, kPlace},
    {"out of", "aus", Case::dative, kOrigin, kPlace},
    {"with", "mit", Case::dative, kCompanion, kPerson | kAnimal},
    {"without", "ohne", Case::accusative, kCompanion, kPerson},
    {"for", "für", Case::accusative, kBeneficiary, kPerson},
};

constexpr bool kWithPerfect = true;

constexpr Adverb kTimeAdverbs[] = {
    {{{{"today", "heute"}}}, kWithPerfect},
    {{{{"now", "jetzt"}}}, kWithPerfect},
    {{{{"tomorrow", "morgen"}}}, !kWithPerfect},
    {{{{"this", "heute"}, {"morning", "Morgen"}}}, kWithPerfect},
    {{{{"this", "diese"}, {"week", "Woche"}}}, kWithPerfect},
    {{{{"in the", "am"}, {"evening", "Abend"}}}, !kWithPerfect},
    {{{{"on", "am"}, {"Monday", "Montag"}}}, !kWithPerfect},
};

constexpr Adverb kFrequencyAdverbs[] = {
    {{{{"often", "oft"}}}, kWithPerfect},
    {{{{"always", "immer"}}}, kWithPerfect},
    {{{{"sometimes", "manchmal"}}}, kWithPerfect},
    {{{{"rarely", "selten"}}}, kWithPerfect},
    {{{{"never", "nie"}}}, kWithPerfect},
};

constexpr Adverb kQuestionAdverbs[] = {
    {{{{"where", "wo"}}}, kWithPerfect, kLocation},
    {{{{"when", "wann"}}}, !kWithPerfect},
    {{{{"why", "warum"}}}, kWithPerfect},
};

constexpr Linker kLinkers[] = {
    {Linker::Kind::adverbial, "because", "weil"},
    {Linker::Kind::adverbial, "although", "obwohl"},
    {Linker::Kind::adverbial, "while", "während"},
    {Linker::Kind::adverbial, "if", "wenn"},
    {Linker::Kind::that_clause, "that", "dass"},
    {Linker::Kind::whether_clause, "whether", "ob"},
    {Linker::Kind::coordination, "but", "aber"},
};
// clang-format on

}  // namespace

std::span<const Noun> nouns() { return kNouns; }
std::span<const Adjective> adjectives() { return kAdjectives; }
std::span<const Verb> verbs() { return kVerbs; }
std::span<const Preposition> prepositions() { return kPrepositions; }
std::span<const Adverb> time_adverbs() { return kTimeAdverbs; }
std::span<const Adverb> frequency_adverbs() { return kFrequencyAdverbs; }
std::span<const Adverb> question_adverbs() { return kQuestionAdverbs; }
std::span<const Linker> linkers() { return kLinkers; }

}  // namespace weft::grammar
