// Writes the meaning of a sentence in English:
// clause = [fronted] subject [auxiliary] [not] [frequency] verb [object] [to recipient]
//          [place] [time], with "do" where there is nothing else to negate or to invert.
#include <weft/seq2seq/tasks/german/meaning.h>

namespace weft::grammar {
namespace {

void write(Line& out, const Clause& c);

bool starts_with_vowel(string_view word) {
  return string_view("aeiou").find(word.front()) != string_view::npos;
}

void write_determiner(Line& out, const NounPhrase& np) {
  const string_view text = np.plural ? np.determiner->plural : np.determiner->singular;
  const string_view next = np.adjective ? np.adjective->english : np.noun->english;
  out.add(text == "a" && starts_with_vowel(next) ? "an" : text, &np.determiner);
}

string_view relative_pronoun(const Noun& noun, bool object) {
  if (noun.kinds & kPerson) return object ? "whom" : "who";
  return "which";
}

void write(Line& out, const NounPhrase& np, bool object) {
  if (np.pronoun) {
    return out.add(object ? np.pronoun->object : np.pronoun->subject, &np.pronoun);
  }
  if (np.relative_pronoun) return out.add(relative_pronoun(*np.noun, object), &np.noun);
  if (np.determiner) write_determiner(out, np);
  if (np.adjective) out.add(np.adjective->english, &np.adjective);
  out.add(np.plural ? np.noun->english_plural : np.noun->english, &np.noun);
  if (np.relative_clause) write(out, *np.relative_clause);
}

void write(Line& out, const PrepositionalPhrase& p) {
  out.add(p.preposition->english, &p.preposition);
  write(out, p.complement, true);
}

void write(Line& out, const Adverb& adverb) {
  for (const auto& part : adverb.parts) out.add(part.english, &part);
}

/// "to" does what the German dative does, so it means the part that shows the dative.
void write_recipient(Line& out, const NounPhrase& np) {
  const void* shows_case = &np.noun;
  if (np.determiner) shows_case = &np.determiner;
  if (np.pronoun) shows_case = &np.pronoun;
  out.add("to", shows_case);
  write(out, np, true);
}

void write_front(Line& out, const Clause& c) {
  if (c.front == Front::object) write(out, *c.object, true);
  if (c.front == Front::time) write(out, c.time);
  if (c.front == Front::place) write(out, *c.place);
}

bool inverted(const Clause& c) { return c.question && c.front != Front::subject; }

/// A full verb, or an auxiliary that behaves like one, is negated and inverted with "do".
bool has_own_operator(const Clause& c) { return c.auxiliary && !c.auxiliary->needs_do; }
bool needs_do(const Clause& c) { return !has_own_operator(c) && (c.negated || inverted(c)); }

void write_do(Line& out, const Clause& c) {
  const void* verb = c.auxiliary ? static_cast<const void*>(&c.auxiliary) : &c.verb;
  const bool third = c.subject.person() == Person::third_singular;
  out.add(third ? "does" : "do", c.negated ? static_cast<const void*>(&c.negated) : verb);
}

/// What stands before "not", and before the subject of a question: "has", "cannot", "does".
void write_operator(Line& out, const Clause& c) {
  if (needs_do(c)) return write_do(out, c);
  if (!has_own_operator(c)) return;
  if (c.negated && !c.auxiliary->negated.empty()) {
    return out.add(c.auxiliary->negated, &c.auxiliary, &c.negated);
  }
  out.add(c.auxiliary->english[static_cast<size_t>(c.subject.person())], &c.auxiliary);
}

void write_not(Line& out, const Clause& c) {
  const bool merged = has_own_operator(c) && !c.auxiliary->negated.empty();
  if (c.negated && !merged) out.add("not", &c.negated);
}

void write_verb(Line& out, const Clause& c) {
  using enum Auxiliary::Kind;
  const Person person = needs_do(c) ? Person::plural : c.subject.person();  // "does see"
  if (!c.auxiliary) return out.add(english_present(c.verb->english, person), &c.verb);
  if (c.auxiliary->kind == copula) return out.add(c.predicate->english, &c.predicate);
  if (c.auxiliary->kind == perfect) return out.add(c.verb->english.participle, &c.verb);
  if (c.auxiliary->needs_do) {
    out.add(c.auxiliary->english[static_cast<size_t>(person)], &c.auxiliary);
    out.add("to", &c.verb);
  }
  out.add(c.verb->english.base, &c.verb);
}

/// "picks up the child", but "picks him up".
void write_object_and_particle(Line& out, const Clause& c) {
  const string_view particle = c.verb ? c.verb->english.particle : "";
  const bool object_here = c.object && c.front != Front::object;
  const bool particle_last = object_here && c.object->pronoun;
  if (!particle_last) out.add(particle, &c.verb);
  if (object_here) write(out, *c.object, true);
  if (particle_last) out.add(particle, &c.verb);
}

void write(Line& out, const Clause& c) {
  write_front(out, c);
  if (inverted(c)) write_operator(out, c);
  write(out, c.subject, false);
  if (!inverted(c)) write_operator(out, c);
  write_not(out, c);
  write(out, c.frequency);
  write_verb(out, c);
  write_object_and_particle(out, c);
  if (c.recipient) write_recipient(out, *c.recipient);
  if (c.place && c.front != Front::place) write(out, *c.place);
  if (c.front != Front::time) write(out, c.time);
}

/// The linker also means the German comma where English has none.
void write_linked(Line& out, const Sentence& s) {
  out.add(s.linker->english, &s.linker, s.comma_in_english() ? nullptr : &s.comma);
  write(out, s.linked);
}

}  // namespace

std::vector<Word> english(const Sentence& s) {
  Line out;
  if (s.linked_first) {
    write_linked(out, s);
    out.add_comma(&s.comma);
  }
  write(out, s.main);
  if (s.linker && !s.linked_first) {
    if (s.comma_in_english()) out.add_comma(&s.comma);
    write_linked(out, s);
  }
  out.add_stop(&s.stop);
  return std::move(out.words());
}

}  // namespace weft::grammar
