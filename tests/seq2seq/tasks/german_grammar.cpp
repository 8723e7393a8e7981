// The toy grammar: chosen sentences of each construction, checked by hand.
#include <weft/seq2seq/tasks/german/grammar.h>
#include <weft/seq2seq/tasks/german/meaning.h>
#include <weft/tests/catch.h>

#include <algorithm>
#include <sstream>

using namespace weft;
using namespace weft::grammar;

namespace {

template <class T, class Is>
const T* find(std::span<const T> table, Is is) {
  const auto row = std::find_if(table.begin(), table.end(), is);
  return row == table.end() ? nullptr : &*row;
}

const Adjective* adjective(string_view w) {
  return find(adjectives(), [&](const Adjective& a) { return a.english == w; });
}

const Determiner* determiner(string_view w) {
  if (w == "the") return &kThe;
  if (w == "a" || w == "an") return &kA;
  if (w == "which") return &kWhich;
  return find(other_determiners(),
              [&](const Determiner& d) { return d.singular == w || d.plural == w; });
}

/// "the old dogs", "her", "milk"
NounPhrase np(const std::string& text) {
  NounPhrase result;
  std::istringstream words(text);
  for (std::string w; words >> w;) {
    if (w == "who" || w == "whom") result.pronoun = &kWho;
    if (w == "what") result.pronoun = &kWhat;
    if (const auto* p = find(personal_pronouns(),
                             [&](const Pronoun& q) { return q.subject == w || q.object == w; })) {
      result.pronoun = p;
    }
    if (const auto* d = determiner(w)) result.determiner = d;
    if (const auto* a = adjective(w)) result.adjective = a;
    if (const auto* n =
            find(nouns(), [&](const Noun& m) { return m.english == w || m.english_plural == w; })) {
      result.noun = n;
      result.plural = n->english_plural == w;
    }
  }
  return result;
}

Clause clause(const std::string& subject, string_view verb, const std::string& object = "") {
  Clause c;
  c.subject = np(subject);
  c.verb = find(verbs(), [&](const Verb& v) {
    return v.english.base == verb && (object.empty() == (v.objects == 0));
  });
  if (!object.empty()) c.object = np(object);
  if (!c.verb) {
    c.predicate = adjective(verb);
    c.auxiliary = &kCopula;
  }
  return c;
}

Clause with_modal(Clause c, string_view modal) {
  c.auxiliary = find(modals(), [&](const Auxiliary& a) { return a.english[0] == modal; });
  return c;
}

Clause perfect(Clause c) {
  c.auxiliary = c.verb->german.takes_sein ? &kSeinPerfect : &kHabenPerfect;
  return c;
}

Clause negated(Clause c) {
  c.negated = true;
  return c;
}

Clause to(const std::string& recipient, Clause c) {
  c.recipient = np(recipient);
  return c;
}

Clause at(string_view preposition, const std::string& complement, Clause c) {
  const auto* row =
      find(prepositions(), [&](const Preposition& p) { return p.english == preposition; });
  c.place.emplace(PrepositionalPhrase{row, np(complement)});
  return c;
}

Clause when(string_view first_word, Clause c) {
  for (const auto table : {time_adverbs(), question_adverbs()}) {
    if (const auto* a =
            find(table, [&](const Adverb& b) { return b.parts[0].english == first_word; })) {
      c.time = *a;
    }
  }
  if (const auto* a = find(frequency_adverbs(),
                           [&](const Adverb& b) { return b.parts[0].english == first_word; })) {
    c.frequency = *a;
  }
  return c;
}

Clause fronted(Front front, Clause c) {
  c.front = front;
  return c;
}

Sentence statement(Clause c) {
  Sentence s;
  s.main = std::move(c);
  return s;
}

Sentence question(Front front, Clause c) {
  Sentence s = statement(fronted(front, std::move(c)));
  s.main.question = true;
  s.stop = '?';
  return s;
}

Sentence joined(Clause main, string_view linker, Clause second) {
  Sentence s = statement(std::move(main));
  s.linker = find(linkers(), [&](const Linker& l) { return l.english == linker; });
  s.linked = std::move(second);
  return s;
}

Sentence joined_first(string_view linker, Clause first, Clause main) {
  Sentence s = joined(fronted(Front::nothing, std::move(main)), linker, std::move(first));
  s.linked_first = true;
  return s;
}

/// The clause's subject or object gets a relative clause in which it is subject or object.
NounPhrase that(NounPhrase head, bool as_object, Clause c) {
  NounPhrase gap;
  gap.noun = head.noun;
  gap.plural = head.plural;
  gap.relative_pronoun = true;
  if (as_object) {
    c.object = std::move(gap);
    c.front = Front::object;
  } else {
    c.subject = std::move(gap);
  }
  head.relative_clause = std::make_unique<Clause>(std::move(c));
  return head;
}

std::string text(const std::vector<Word>& words) {
  std::string joined;
  for (const auto& w : words) joined.append(joined.empty() ? "" : " ").append(w.text);
  return joined;
}

void check_pair(const Sentence& s, const std::string& source, const std::string& target) {
  CHECK(text(english(s)) == source);
  CHECK(text(german(s)) == target);
}

}  // namespace

TEST_CASE("toy grammar: every word finds the words that it can go with") {
  for (const auto& noun : nouns()) {
    INFO(noun.english);
    CHECK(find(adjectives(), [&](const Adjective& a) { return a.kinds & noun.kinds; }));
  }
  const auto is_any = [](Kinds kinds) {
    return find(nouns(), [&](const Noun& n) { return n.kinds & kinds; }) != nullptr;
  };
  for (const auto& adjective : adjectives()) CHECK(is_any(adjective.kinds));
  for (const auto& preposition : prepositions()) CHECK(is_any(preposition.kinds));
  for (const auto& verb : verbs()) {
    INFO(verb.english.base);
    CHECK(is_any(verb.subjects));
    CHECK((verb.objects == 0 || is_any(verb.objects)));
    CHECK((verb.frame != Frame::motion || verb.roles != 0));
  }
}

TEST_CASE("toy grammar: articles and adjectives agree in gender, number and case") {
  check_pair(statement(clause("the old uncle", "see", "the old uncle")),
             "the old uncle sees the old uncle .", "der alte Onkel sieht den alten Onkel .");
  check_pair(statement(clause("an old aunt", "help", "an old aunt")),
             "an old aunt helps an old aunt .", "eine alte Tante hilft einer alten Tante .");
  check_pair(statement(clause("a small horse", "see", "a small horse")),
             "a small horse sees a small horse .", "ein kleines Pferd sieht ein kleines Pferd .");
  check_pair(statement(clause("many small dogs", "follow", "two small dogs")),
             "many small dogs follow two small dogs .",
             "viele kleine Hunde folgen zwei kleinen Hunden .");
  check_pair(statement(clause("our old friends", "drink", "cold water")),
             "our old friends drink cold water .", "unsere alten Freunde trinken kaltes Wasser .");
  check_pair(statement(clause("he", "drink", "fresh coffee")), "he drinks fresh coffee .",
             "er trinkt frischen Kaffee .");
  check_pair(statement(clause("I", "wear", "our expensive coats")), "I wear our expensive coats .",
             "ich trage unsere teuren Mäntel .");
  check_pair(statement(clause("the boy", "know", "every student")), "the boy knows every student .",
             "der Junge kennt jeden Studenten .");
  check_pair(statement(clause("she", "thank", "the boy")), "she thanks the boy .",
             "sie dankt dem Jungen .");
}

TEST_CASE("toy grammar: objects and recipients") {
  check_pair(statement(to("the child", clause("the teacher", "give", "an apple"))),
             "the teacher gives an apple to the child .", "der Lehrer gibt dem Kind einen Apfel .");
  check_pair(statement(to("a child", clause("the teacher", "give", "the apple"))),
             "the teacher gives the apple to a child .", "der Lehrer gibt den Apfel einem Kind .");
  check_pair(statement(when("today", to("him", clause("they", "show", "the dog")))),
             "they show the dog to him today .", "sie zeigen ihm den Hund heute .");
  check_pair(statement(when("today", clause("the girl", "buy", "a dress"))),
             "the girl buys a dress today .", "das Mädchen kauft heute ein Kleid .");
}

TEST_CASE("toy grammar: places") {
  check_pair(statement(at("in", "the garden", clause("they", "dance"))),
             "they dance in the garden .", "sie tanzen im Garten .");
  check_pair(statement(at("into", "the garden", clause("they", "go"))), "they go into the garden .",
             "sie gehen in den Garten .");
  check_pair(statement(at("into", "the dark house", clause("I", "run"))),
             "I run into the dark house .", "ich laufe ins dunkle Haus .");
  check_pair(statement(at("out of", "a school", clause("we", "come"))), "we come out of a school .",
             "wir kommen aus einer Schule .");
  check_pair(statement(at("for", "me", clause("she", "cook", "soup"))), "she cooks soup for me .",
             "sie kocht für mich Suppe .");
}

TEST_CASE("toy grammar: the finite verb comes second") {
  check_pair(statement(fronted(Front::time, when("today", clause("the dog", "sleep")))),
             "today the dog sleeps .", "heute schläft der Hund .");
  check_pair(statement(fronted(Front::time, when("in the", clause("he", "wash", "the coat")))),
             "in the evening he washes the coat .", "am Abend wäscht er den Mantel .");
  check_pair(statement(fronted(Front::place, at("in front of", "the school",
                                                with_modal(clause("my friends", "wait"), "must")))),
             "in front of the school my friends must wait .",
             "vor der Schule müssen meine Freunde warten .");
}

TEST_CASE("toy grammar: negation") {
  check_pair(statement(negated(clause("the dog", "see", "the cat"))),
             "the dog does not see the cat .", "der Hund sieht die Katze nicht .");
  check_pair(statement(negated(clause("the dog", "see", "a cat"))), "the dog does not see a cat .",
             "der Hund sieht keine Katze .");
  check_pair(statement(negated(clause("we", "buy", "red apples"))), "we do not buy red apples .",
             "wir kaufen keine roten Äpfel .");
  check_pair(statement(negated(clause("I", "tired"))), "I am not tired .", "ich bin nicht müde .");
  check_pair(statement(negated(at("with", "him", clause("she", "dance")))),
             "she does not dance with him .", "sie tanzt nicht mit ihm .");
  check_pair(statement(negated(with_modal(clause("she", "call", "them"), "can"))),
             "she cannot call them .", "sie kann sie nicht anrufen .");
  check_pair(statement(negated(with_modal(clause("he", "sing"), "want"))),
             "he does not want to sing .", "er will nicht singen .");
  check_pair(statement(when("never", clause("he", "sing"))), "he never sings .", "er singt nie .");
}

TEST_CASE("toy grammar: separable verbs, modals and the perfect close the clause") {
  check_pair(statement(clause("the nurse", "open", "the window")), "the nurse opens the window .",
             "die Krankenschwester macht das Fenster auf .");
  check_pair(statement(when("now", clause("we", "pick", "him"))), "we pick him up now .",
             "wir holen ihn jetzt ab .");
  check_pair(statement(with_modal(clause("I", "turn", "a lamp"), "should")),
             "I should turn on a lamp .", "ich sollte eine Lampe anmachen .");
  check_pair(statement(perfect(clause("I", "close", "the door"))), "I have closed the door .",
             "ich habe die Tür zugemacht .");
  check_pair(statement(perfect(clause("our sister", "arrive"))), "our sister has arrived .",
             "unsere Schwester ist angekommen .");
}

TEST_CASE("toy grammar: questions") {
  check_pair(question(Front::nothing, clause("the boy", "invite", "her")),
             "does the boy invite her ?", "lädt der Junge sie ein ?");
  check_pair(question(Front::subject, perfect(clause("who", "eat", "the cake"))),
             "who has eaten the cake ?", "wer hat den Kuchen gegessen ?");
  check_pair(question(Front::object, clause("the doctor", "help", "whom")),
             "whom does the doctor help ?", "wem hilft der Arzt ?");
  check_pair(question(Front::object, with_modal(clause("she", "buy", "what"), "want")),
             "what does she want to buy ?", "was will sie kaufen ?");
  check_pair(question(Front::object, clause("he", "need", "which red coat")),
             "which red coat does he need ?", "welchen roten Mantel braucht er ?");
  check_pair(question(Front::time, when("where", with_modal(clause("I", "work"), "can"))),
             "where can I work ?", "wo kann ich arbeiten ?");
}

TEST_CASE("toy grammar: the finite verb ends a subordinate clause") {
  check_pair(joined(clause("we", "wait"), "because", clause("she", "call", "her")),
             "we wait because she calls her .", "wir warten , weil sie sie anruft .");
  check_pair(joined(clause("he", "say"), "that", perfect(clause("he", "follow", "the cat"))),
             "he says that he has followed the cat .", "er sagt , dass er der Katze gefolgt ist .");
  check_pair(joined(clause("I", "ask"), "whether", negated(clause("they", "hungry"))),
             "I ask whether they are not hungry .", "ich frage , ob sie nicht hungrig sind .");
  check_pair(joined_first("if", with_modal(clause("the child", "sleep"), "want"),
                          clause("we", "close", "the door")),
             "if the child wants to sleep , we close the door .",
             "wenn das Kind schlafen will , machen wir die Tür zu .");
  check_pair(joined(clause("I", "sing"), "but", negated(clause("he", "wake"))),
             "I sing , but he does not wake up .", "ich singe , aber er wacht nicht auf .");
}

TEST_CASE("toy grammar: relative clauses") {
  Sentence about_subject = statement(clause("", "sing"));
  about_subject.main.subject = that(np("the child"), true, clause("the teacher", "help", "him"));
  check_pair(about_subject, "the child whom the teacher helps sings .",
             "das Kind , dem der Lehrer hilft , singt .");
  Sentence about_object = statement(clause("I", "see", "her"));
  about_object.main.object = that(np("a dog"), false, clause("", "follow", "the cats"));
  check_pair(about_object, "I see a dog which follows the cats .",
             "ich sehe einen Hund , der den Katzen folgt .");
}

TEST_CASE("toy grammar: the gold alignment of a known pair") {
  const Sentence s = joined(negated(clause("I", "open", "the bag")), "because",
                            at("in", "the kitchen", clause("we", "drink", "milk")));
  // I0 do1 not2 open3 the4 bag5 because6 we7 drink8 milk9 in10 the11 kitchen12 .13
  // ich0 mache1 die2 Tasche3 nicht4 auf5 ,6 weil7 wir8 in9 der10 Küche11 Milch12 trinken13 .14
  const auto source = english(s), target = german(s);
  REQUIRE(text(source) == "I do not open the bag because we drink milk in the kitchen .");
  REQUIRE(text(target) == "ich mache die Tasche nicht auf , weil wir in der Küche Milch trinken .");
  const std::vector<Link> gold{{0, 0},  {1, 4},   {2, 4},   {3, 1},  {3, 5},  {4, 2},
                               {5, 3},  {6, 6},   {6, 7},   {7, 8},  {8, 13}, {9, 12},
                               {10, 9}, {11, 10}, {12, 11}, {13, 14}};
  CHECK(align(source, target) == gold);
}
