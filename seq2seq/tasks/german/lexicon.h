// The words of the toy corpus and how they inflect. To extend the corpus, add a row to a table in
// lexicon.cpp: the meaning of every word (what it goes with) is the set of kinds in its row.
#pragma once

#include <array>
#include <span>
#include <string>
#include <string_view>

namespace weft::grammar {

using std::string_view;

enum class Gender { masculine, feminine, neuter };
enum class Case { nominative, accusative, dative };
enum class Person { first_singular, third_singular, plural };

/// What a noun denotes, as flags: verbs and adjectives name the kinds that they go with.
enum Kind : unsigned {
  kPerson = 1 << 0,
  kAnimal = 1 << 1,
  kFood = 1 << 2,
  kCookable = 1 << 3,
  kDrink = 1 << 4,
  kText = 1 << 5,
  kClothes = 1 << 6,
  kOpening = 1 << 7,  // can be opened: a door, a bag
  kDevice = 1 << 8,   // can be turned on
  kVehicle = 1 << 9,
  kThing = 1 << 10,
  kPlace = 1 << 11,     // one can be in it
  kBuilding = 1 << 12,  // one can be behind it
  kAdult = 1 << 13      // can be old or young
};
using Kinds = unsigned;

/// What a prepositional phrase says of a verb, as flags: verbs name those that they allow.
enum Role : unsigned { kLocation = 1, kCompanion = 2, kBeneficiary = 4, kGoal = 8, kOrigin = 16 };
using Roles = unsigned;

/// How a noun phrase refers, as flags: "the, my", "a", "every, many", or without a determiner.
enum Reference : unsigned { kDefinite = 1, kIndefinite = 2, kQuantity = 4, kBare = 8 };
using References = unsigned;

/// Forms by case, then by column: masculine, feminine, neuter, plural.
using Forms = std::array<std::array<string_view, 4>, 3>;

/// The endings of a class of determiners, and those of the adjective that follows one.
struct Paradigm {
  const Forms* determiner;
  const Forms* adjective;
};

struct Noun {
  string_view english, english_plural;  // a mass noun has no plural
  Gender gender;
  string_view german, german_plural;
  Kinds kinds;
  string_view oblique = "";  // accusative and dative singular where they differ: "Jungen"

  bool mass() const { return english_plural.empty(); }
};

struct Adjective {
  string_view english, german, stem;  // "dunkel", but "dunkl-" before an ending
  Kinds kinds;
  bool lasting = false;  // true at any time: no adverb of time
};

struct Pronoun {
  string_view subject, object;        // English
  std::array<string_view, 3> german;  // by case
  Person person;
  bool speaker = false;  // one of "I, we"
};

struct Determiner {
  string_view singular, plural;  // English; empty where the number does not exist
  string_view stem;
  const Paradigm* paradigm;
  Reference reference;
};

/// What stands beside a verb.
enum class Frame {
  intransitive,
  motion,  // "goes into the garden": the place is part of the meaning
  accusative,
  dative,         // "hilft dem Kind"
  ditransitive,   // "gibt dem Kind einen Apfel"
  that_clause,    // "weiß , dass ..."
  whether_clause  // "fragt , ob ..."
};

struct EnglishVerb {
  string_view base, third, participle, particle = "";
};

struct GermanVerb {
  string_view infinitive, third, participle, prefix = "";  // without the separable prefix
  bool takes_sein = false;                                 // "ist gekommen"
  string_view first = "";                                  // where it is not the infinitive less -n
};

struct Verb {
  EnglishVerb english;
  GermanVerb german;
  Frame frame;
  Kinds subjects, objects = 0;
  Roles roles = 0;
  bool lasting = false;  // nor an auxiliary: "has known" is "kennt"
};

/// The finite verb of a clause whose content word comes as infinitive, participle or adjective.
struct Auxiliary {
  enum class Kind { modal, perfect, copula } kind;
  std::array<string_view, 3> english, german;  // by person
  string_view negated = "";                    // "cannot"
  bool needs_do = false;                       // "does not want to"
  bool negatable = true;                       // "must not" is not "muss nicht"
};

struct Preposition {
  string_view english, german;
  Case governs;
  Role role;
  Kinds kinds;
};

/// Up to two words that translate word by word: {"this", "diese"}, {"week", "Woche"}.
struct Adverb {
  struct Part {
    string_view english, german;
  };
  std::array<Part, 2> parts;
  bool with_perfect;   // "has bought it today", but not "tomorrow"
  Roles asks_for = 0;  // "where" asks for a location

  bool empty() const { return parts[0].english.empty(); }
};

/// Joins two clauses.
struct Linker {
  enum class Kind { adverbial, that_clause, whether_clause, coordination } kind;
  string_view english, german;
};

std::span<const Noun> nouns();
std::span<const Adjective> adjectives();
std::span<const Pronoun> personal_pronouns();
std::span<const Determiner> other_determiners();  // beside "the" and "a"
std::span<const Verb> verbs();
std::span<const Auxiliary> modals();
std::span<const Preposition> prepositions();
std::span<const Adverb> time_adverbs();
std::span<const Adverb> frequency_adverbs();
std::span<const Adverb> question_adverbs();
std::span<const Linker> linkers();

// Words that the grammar itself speaks of.
extern const Determiner kThe, kA, kKein, kWhich;
extern const Pronoun kWho, kWhat;
extern const Auxiliary kHabenPerfect, kSeinPerfect, kCopula;
extern const Forms kRelativePronouns, kStrongEndings;

/// The form of a noun phrase's word with these features.
string_view select(const Forms& forms, Case c, Gender gender, bool plural);

/// "den Hunden", "dem Jungen": the noun in the given case and number.
std::string german_noun(const Noun& noun, Case c, bool plural);
/// "sehe", "sieht", "sehen", without the separable prefix.
std::string german_present(const GermanVerb& verb, Person person);
string_view english_present(const EnglishVerb& verb, Person person);

}  // namespace weft::grammar
