// Draws the meanings of random sentences. What may not be said here has two translations, or none
// that a native speaker would choose: see docs/toy-corpus.md.
#include <weft/seq2seq/tasks/german/sampler.h>

#include <algorithm>

namespace weft::grammar {
namespace {

namespace odds {
constexpr double kQuestion = 0.15, kLinked = 0.18, kReport = 0.09;
constexpr double kPredicate = 0.15, kModal = 0.2, kPerfect = 0.2, kNegated = 0.25;
constexpr double kPlural = 0.3, kAdjective = 0.3, kIndefinite = 0.4, kThe = 0.45;
constexpr double kSubjectPronoun = 0.4, kObjectPronoun = 0.2;
constexpr double kPlace = 0.4, kTime = 0.3, kFrequency = 0.15;
constexpr double kFrontTime = 0.5, kFrontPlace = 0.35, kRelative = 0.2;
constexpr double kLinkedFirst = 0.4, kLinkedDetail = 0.3;
}  // namespace odds

constexpr References kCounted = kDefinite | kIndefinite | kQuantity;

bool exists(const Determiner& d, bool plural) { return !(plural ? d.plural : d.singular).empty(); }

bool is_subordinate_frame(Frame frame) {
  return frame == Frame::that_clause || frame == Frame::whether_clause;
}

bool lasting(const Clause& c) { return c.verb ? c.verb->lasting : c.predicate->lasting; }

bool has_auxiliary(const Clause& c, Auxiliary::Kind kind) {
  return c.auxiliary && c.auxiliary->kind == kind;
}

/// "must never" and "every child never" are no "muss nie" and "jedes Kind nie".
bool takes_frequency(const Clause& c) {
  const Determiner* of_subject = c.subject.determiner;
  return !c.negated && !has_auxiliary(c, Auxiliary::Kind::modal) &&
         !(of_subject && of_subject->reference == kQuantity);
}

/// The "who" or "whom" that stands for `head` in its relative clause.
NounPhrase gap(const NounPhrase& head) {
  NounPhrase np;
  np.noun = head.noun;
  np.plural = head.plural;
  np.relative_pronoun = true;
  return np;
}

NounPhrase pronoun(const Pronoun& word) {
  NounPhrase np;
  np.pronoun = &word;
  return np;
}

/// In English nothing may follow the relative clause, else one could read it as a part of it; in
/// German no part of the verb may be far from the rest.
bool object_may_have_relative_clause(const Clause& c) {
  return c.object && c.object->noun && !c.recipient && !c.place && !c.auxiliary &&
         c.verb->german.prefix.empty() && (c.time.empty() || c.front == Front::time);
}

}  // namespace

template <class T, class Accept>
const T* Sampler::pick(std::span<const T> table, Accept accept) {
  const auto count = std::count_if(table.begin(), table.end(), accept);
  if (count == 0) return nullptr;
  auto skip = generator_.below(count);
  for (const T& row : table) {
    if (accept(row) && skip-- == 0) return &row;
  }
  return nullptr;
}

Sentence Sampler::sentence() {
  detail_ = 1;
  if (chance(odds::kQuestion)) return question();
  if (chance(odds::kReport)) return report();
  if (chance(odds::kLinked)) return linked();
  return statement();
}

Sentence Sampler::statement() {
  Sentence s;
  s.main = clause();
  choose_front(s.main);
  add_relative_clause(s.main);
  return s;
}

/// Turns a statement into a question; one that has no such part to ask for becomes yes or no.
Sentence Sampler::question() {
  Sentence s;
  s.stop = '?';
  Clause& c = s.main;
  do c = clause();
  while (c.negated);
  c.question = true;
  c.front = Front::nothing;
  const auto part = generator_.below(5);
  if (part == 0) ask_who(c);
  if (part == 1) ask_what(c);
  if (part == 2) ask_which(c);
  if (part == 3) ask_when_or_where(c);
  return s;
}

void Sampler::ask_who(Clause& c) {
  if (!c.verb || !(c.verb->subjects & kPerson)) return;
  c.subject = pronoun(kWho);
  c.front = Front::subject;
}

void Sampler::ask_what(Clause& c) {
  if (!c.object) return;
  c.object = pronoun(c.verb->objects & kPerson ? kWho : kWhat);
  c.front = Front::object;
}

void Sampler::ask_which(Clause& c) {
  if (!c.object || !c.object->noun) return;
  c.object->determiner = &kWhich;
  c.front = Front::object;
}

void Sampler::ask_when_or_where(Clause& c) {
  if (lasting(c)) return;
  const Roles roles = c.verb && !c.place ? c.verb->roles : 0;
  const bool perfect = has_auxiliary(c, Auxiliary::Kind::perfect);
  c.time = *pick(question_adverbs(), [&](const Adverb& a) {
    return !(a.asks_for & ~roles) && (a.with_perfect || !perfect);
  });
  c.frequency = {};
  c.front = Front::time;
}

/// "the child sleeps because it is tired": any two clauses.
Sentence Sampler::linked() {
  Sentence s;
  detail_ = odds::kLinkedDetail;
  s.linker = pick(linkers(), [](const Linker& l) {
    return l.kind == Linker::Kind::adverbial || l.kind == Linker::Kind::coordination;
  });
  s.main = clause();
  s.linked = clause();
  s.linked_first = s.linker->kind == Linker::Kind::adverbial && chance(odds::kLinkedFirst);
  if (s.linked_first) s.main.front = Front::nothing;  // the linked clause stands there
  return s;
}

/// "the teacher says that ..."
Sentence Sampler::report() {
  Sentence s;
  const Verb& verb = *pick(verbs(), [](const Verb& v) { return is_subordinate_frame(v.frame); });
  const auto kind =
      verb.frame == Frame::that_clause ? Linker::Kind::that_clause : Linker::Kind::whether_clause;
  s.linker = pick(linkers(), [&](const Linker& l) { return l.kind == kind; });
  detail_ = 0;  // what follows the verb would seem to belong to the other clause
  s.main = clause(verb);
  detail_ = odds::kLinkedDetail;
  s.linked = clause();
  return s;
}

Clause Sampler::clause() {
  if (chance(odds::kPredicate)) return clause(*pick(adjectives()));
  return clause(*pick(verbs(), [](const Verb& v) { return !is_subordinate_frame(v.frame); }));
}

Clause Sampler::clause(const Verb& verb) {
  Clause c;
  c.verb = &verb;
  add_perfect_or_modal(c);
  add_negation(c);
  c.subject = subject(verb.subjects, c.negated);
  add_objects(c);
  add_place(c);
  add_adverb(c);
  return c;
}

Clause Sampler::clause(const Adjective& predicate) {
  Clause c;
  c.predicate = &predicate;
  c.auxiliary = &kCopula;
  add_negation(c);
  c.subject = subject(predicate.kinds, true);  // "a radio is big" would be no news
  c.subject.adjective = nullptr;               // "the tired dog is tired"
  add_adverb(c);
  return c;
}

void Sampler::add_perfect_or_modal(Clause& c) {
  if (lasting(c)) return;
  if (chance(odds::kModal)) {
    c.auxiliary = pick(modals());
  } else if (chance(odds::kPerfect)) {
    c.auxiliary = c.verb->german.takes_sein ? &kSeinPerfect : &kHabenPerfect;
  }
}

void Sampler::add_negation(Clause& c) {
  c.negated = (!c.auxiliary || c.auxiliary->negatable) && chance(odds::kNegated);
}

/// Quantities are not negated: "does not see every dog" has two readings.
void Sampler::add_objects(Clause& c) {
  if (!c.verb->objects) return;
  if (c.verb->frame == Frame::ditransitive) {
    c.recipient = participant(c, kPerson, c.negated ? kDefinite : kDefinite | kIndefinite);
    c.object = noun_phrase(c.verb->objects, kDefinite | kIndefinite | kBare);
  } else {
    const References uncounted = kDefinite | kIndefinite | kBare;
    c.object = participant(c, c.verb->objects, c.negated ? uncounted : uncounted | kQuantity);
  }
}

void Sampler::add_place(Clause& c) {
  const double p = c.verb->frame == Frame::motion ? 1 : odds::kPlace * detail_;
  if (!c.verb->roles || !chance(p)) return;
  c.place.emplace();
  c.place->preposition =
      pick(prepositions(), [&](const Preposition& q) { return q.role & c.verb->roles; });
  c.place->complement = participant(c, c.place->preposition->kinds, kDefinite | kIndefinite);
}

void Sampler::add_adverb(Clause& c) {
  if (lasting(c)) return;
  const bool perfect = has_auxiliary(c, Auxiliary::Kind::perfect);
  if (chance(odds::kTime * detail_)) {
    c.time = *pick(time_adverbs(), [&](const Adverb& a) { return a.with_perfect || !perfect; });
  } else if (takes_frequency(c) && chance(odds::kFrequency * detail_)) {
    c.frequency = *pick(frequency_adverbs());
  }
}

void Sampler::choose_front(Clause& c) {
  if (!c.time.empty() && chance(odds::kFrontTime)) {
    c.front = Front::time;
  } else if (c.place && c.place->preposition->role == kLocation && !c.negated &&
             chance(odds::kFrontPlace)) {
    c.front = Front::place;
  }
}

void Sampler::add_relative_clause(Clause& c) {
  if (c.negated || !c.frequency.empty() || !chance(odds::kRelative)) return;
  NounPhrase* head = nullptr;
  if (object_may_have_relative_clause(c)) {
    head = &*c.object;
  } else if (c.subject.noun) {
    head = &c.subject;
  }
  if (head) head->relative_clause = std::make_unique<Clause>(relative_clause(*head));
}

/// About its object ("which the child sees"), its subject ("who sees the dog") or its state.
Clause Sampler::relative_clause(const NounPhrase& head) {
  const Kinds kinds = head.noun->kinds;
  const Verb* of_object = pick(verbs(), [&](const Verb& v) {
    return (v.frame == Frame::accusative || v.frame == Frame::dative) && v.objects & kinds;
  });
  const Verb* of_subject = pick(
      verbs(), [&](const Verb& v) { return !is_subordinate_frame(v.frame) && v.subjects & kinds; });
  detail_ = 0;
  if (of_object && chance(0.5)) {
    Clause c = clause(*of_object);
    c.object = gap(head);
    c.front = Front::object;
    return c;
  }
  Clause c = of_subject && !chance(odds::kPredicate)
                 ? clause(*of_subject)
                 : clause(*pick(adjectives(), [&](const Adjective& a) { return a.kinds & kinds; }));
  c.subject = gap(head);
  return c;
}

NounPhrase Sampler::subject(Kinds kinds, bool definite) {
  if (kinds & kPerson && chance(odds::kSubjectPronoun)) return pronoun(*pick(personal_pronouns()));
  return noun_phrase(kinds, definite ? kDefinite : kCounted);
}

/// Whoever else takes part in a clause that has its subject: no "I see me", no "an aunt helps
/// aunts".
NounPhrase Sampler::participant(const Clause& c, Kinds kinds, References references) {
  if (!(kinds & kPerson) || !chance(odds::kObjectPronoun)) {
    return noun_phrase(kinds, references, c.subject.noun);
  }
  const bool by_speaker = c.subject.pronoun && c.subject.pronoun->speaker;
  return pronoun(
      *pick(personal_pronouns(), [&](const Pronoun& p) { return !(by_speaker && p.speaker); }));
}

NounPhrase Sampler::noun_phrase(Kinds kinds, References references, const Noun* except) {
  NounPhrase np;
  np.noun = pick(nouns(), [&](const Noun& noun) { return noun.kinds & kinds && &noun != except; });
  np.plural = !np.noun->mass() && !(np.noun->kinds & kPlace) && chance(odds::kPlural);
  if (chance(odds::kAdjective * detail_)) {
    np.adjective = pick(adjectives(), [&](const Adjective& a) { return a.kinds & np.noun->kinds; });
  }
  np.determiner = determiner(*np.noun, np.plural, references);
  return np;
}

/// What is indefinite has "a" in the singular and nothing in the plural; but people do not come
/// bare ("helps students" speaks of students as such), nor do mass nouns come counted.
const Determiner* Sampler::determiner(const Noun& noun, bool plural, References references) {
  const bool uncounted = plural || noun.mass();
  if (noun.mass()) references &= ~kQuantity;
  if (noun.kinds & kPerson) references &= ~kBare;
  if (references & (uncounted ? kBare : kIndefinite) && chance(odds::kIndefinite)) {
    return uncounted ? nullptr : &kA;
  }
  if (chance(odds::kThe)) return &kThe;
  return pick(other_determiners(),
              [&](const Determiner& d) { return d.reference & references && exists(d, plural); });
}

}  // namespace weft::grammar
