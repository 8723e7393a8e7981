// The closed classes of words (articles, pronouns, auxiliaries) and how the open ones inflect.
#include <weft/seq2seq/tasks/german/lexicon.h>

namespace weft::grammar {

// clang-format off
// Determiners and the adjectives after them. Rows: nominative, accusative, dative; columns:
// masculine, feminine, neuter, plural.
const Forms kStrongEndings{{{"er", "e", "es", "e"},
                            {"en", "e", "es", "e"},
                            {"em", "er", "em", "en"}}};
const Forms kRelativePronouns{{{"der", "die", "das", "die"},
                               {"den", "die", "das", "die"},
                               {"dem", "der", "dem", "denen"}}};
namespace {

constexpr Forms kArticleForms{{{"der", "die", "das", "die"},
                               {"den", "die", "das", "die"},
                               {"dem", "der", "dem", "den"}}};
constexpr Forms kEinEndings{{{"", "e", "", "e"},
                             {"en", "e", "", "e"},
                             {"em", "er", "em", "en"}}};
constexpr Forms kNoEndings{};
constexpr Forms kWeakEndings{{{"e", "e", "e", "en"},
                              {"en", "e", "e", "en"},
                              {"en", "en", "en", "en"}}};
constexpr Forms kMixedEndings{{{"er", "e", "es", "en"},
                               {"en", "e", "es", "en"},
                               {"en", "en", "en", "en"}}};

constexpr Paradigm kArticle{&kArticleForms, &kWeakEndings};
constexpr Paradigm kDieser{&kStrongEndings, &kWeakEndings};
constexpr Paradigm kEin{&kEinEndings, &kMixedEndings};
constexpr Paradigm kViele{&kStrongEndings, &kStrongEndings};
constexpr Paradigm kNumeral{&kNoEndings, &kStrongEndings};

constexpr Determiner kOtherDeterminers[] = {
    // singular, plural, German stem, endings, reference
    {"this", "these", "dies", &kDieser, kDefinite},
    {"my", "my", "mein", &kEin, kDefinite},
    {"his", "his", "sein", &kEin, kDefinite},
    {"our", "our", "unser", &kEin, kDefinite},
    {"every", "", "jed", &kDieser, kQuantity},
    {"", "many", "viel", &kViele, kQuantity},
    {"", "two", "zwei", &kNumeral, kQuantity},
};

constexpr Pronoun kPersonalPronouns[] = {
    {"I", "me", {"ich", "mich", "mir"}, Person::first_singular, true},
    {"he", "him", {"er", "ihn", "ihm"}, Person::third_singular},
    {"she", "her", {"sie", "sie", "ihr"}, Person::third_singular},
    {"we", "us", {"wir", "uns", "uns"}, Person::plural, true},
    {"they", "them", {"sie", "sie", "ihnen"}, Person::plural},
};

using AuxiliaryKind = Auxiliary::Kind;

constexpr Auxiliary kModals[] = {
    // kind, English and German by person, negated, needs "do", negatable
    {AuxiliaryKind::modal, {"can", "can", "can"}, {"kann", "kann", "können"}, "cannot"},
    {AuxiliaryKind::modal, {"should", "should", "should"}, {"sollte", "sollte", "sollten"}},
    {AuxiliaryKind::modal, {"want", "wants", "want"}, {"will", "will", "wollen"}, "", true},
    {AuxiliaryKind::modal, {"must", "must", "must"}, {"muss", "muss", "müssen"}, "", false, false},
};

}  // namespace

const Determiner kThe{"the", "the", "", &kArticle, kDefinite};
const Determiner kA{"a", "", "ein", &kEin, kIndefinite};
const Determiner kKein{"", "", "kein", &kEin, kIndefinite};
const Determiner kWhich{"which", "which", "welch", &kDieser, kDefinite};
const Pronoun kWho{"who", "whom", {"wer", "wen", "wem"}, Person::third_singular};
const Pronoun kWhat{"what", "what", {"was", "was", ""}, Person::third_singular};
const Auxiliary kHabenPerfect{AuxiliaryKind::perfect, {"have", "has", "have"}, {"habe", "hat", "haben"}};
const Auxiliary kSeinPerfect{AuxiliaryKind::perfect, {"have", "has", "have"}, {"bin", "ist", "sind"}};
const Auxiliary kCopula{AuxiliaryKind::copula, {"am", "is", "are"}, {"bin", "ist", "sind"}};
// clang-format on

std::span<const Determiner> other_determiners() { return kOtherDeterminers; }
std::span<const Pronoun> personal_pronouns() { return kPersonalPronouns; }
std::span<const Auxiliary> modals() { return kModals; }

string_view select(const Forms& forms, Case c, Gender gender, bool plural) {
  return forms[static_cast<size_t>(c)][plural ? 3 : static_cast<size_t>(gender)];
}

std::string german_noun(const Noun& noun, Case c, bool plural) {
  if (!plural) {
    return std::string(c == Case::nominative || noun.oblique.empty() ? noun.german : noun.oblique);
  }
  std::string form(noun.german_plural);
  const bool adds_n = c == Case::dative && form.back() != 'n' && form.back() != 's';
  return adds_n ? form + "n" : form;
}

std::string german_present(const GermanVerb& verb, Person person) {
  if (person == Person::third_singular) return std::string(verb.third);
  if (person == Person::plural) return std::string(verb.infinitive);
  return std::string(verb.first.empty() ? verb.infinitive.substr(0, verb.infinitive.size() - 1)
                                        : verb.first);
}

string_view english_present(const EnglishVerb& verb, Person person) {
  return person == Person::third_singular ? verb.third : verb.base;
}

}  // namespace weft::grammar
