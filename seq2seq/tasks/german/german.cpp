// Writes the meaning of a sentence in German:
// main clause        = front, finite verb, middle field, rest of the verb
// subordinate clause = linker, middle field, rest of the verb, finite verb
// middle field       = subject, pronouns, definite objects, adverbs, nicht, place, indefinite
// objects A separable prefix leaves the verb when the verb is finite and not last.
#include <weft/seq2seq/tasks/german/meaning.h>

namespace weft::grammar {
namespace {

enum class Order { verb_second, verb_final };

void write(Line& out, const Clause& c, Order order);

std::string join(string_view stem, string_view ending) { return std::string(stem).append(ending); }

/// The commas around a relative clause mean its pronoun: English has nothing else for them.
void write_relative_clause(Line& out, const Clause& c) {
  const NounPhrase& pronoun = c.front == Front::object ? *c.object : c.subject;
  out.add_comma(&pronoun.noun);
  write(out, c, Order::verb_final);
  out.add_comma(&pronoun.noun);
}

/// With a `negation`, the determiner becomes "kein" and means the negation too.
void write(Line& out, const NounPhrase& np, Case c, const bool* negation = nullptr) {
  if (np.pronoun) return out.add(np.pronoun->german[static_cast<size_t>(c)], &np.pronoun);
  const Gender gender = np.noun->gender;
  if (np.relative_pronoun) {
    return out.add(select(kRelativePronouns, c, gender, np.plural), &np.noun);
  }
  const Determiner* determiner = negation ? &kKein : np.determiner;
  if (determiner) {
    const auto ending = select(*determiner->paradigm->determiner, c, gender, np.plural);
    out.add(join(determiner->stem, ending), &np.determiner, negation);
  }
  if (np.adjective) {
    const Forms& endings = determiner ? *determiner->paradigm->adjective : kStrongEndings;
    out.add(join(np.adjective->stem, select(endings, c, gender, np.plural)), &np.adjective);
  }
  out.add(german_noun(*np.noun, c, np.plural), &np.noun);
  if (np.relative_clause) write_relative_clause(out, *np.relative_clause);
}

/// "in dem" is "im", "in das" is "ins"; the word then means both.
void contract(std::vector<Word>& words, size_t preposition) {
  Word& first = words[preposition];
  const Word& article = words[preposition + 1];
  if (first.text != "in" || (article.text != "dem" && article.text != "das")) return;
  first = {article.text == "dem" ? "im" : "ins", {first.means[0], article.means[0]}};
  words.erase(words.begin() + static_cast<std::ptrdiff_t>(preposition) + 1);
}

void write(Line& out, const PrepositionalPhrase& p) {
  const size_t start = out.words().size();
  out.add(p.preposition->german, &p.preposition);
  write(out, p.complement, p.preposition->governs);
  contract(out.words(), start);
}

void write(Line& out, const Adverb& adverb) {
  for (const auto& part : adverb.parts) out.add(part.german, &part);
}

bool takes_kein(const Clause& c) { return c.negated && c.object && !c.object->definite(); }

void write_object(Line& out, const Clause& c) {
  const Case governed = c.verb->frame == Frame::dative ? Case::dative : Case::accusative;
  write(out, *c.object, governed, takes_kein(c) ? &c.negated : nullptr);
}

/// What is known comes early: pronouns, then definite objects; indefinite ones are news.
enum class Weight { pronoun, definite, indefinite };

Weight weight(const NounPhrase& np) {
  if (np.pronoun) return Weight::pronoun;
  return np.definite() ? Weight::definite : Weight::indefinite;
}

void write_objects(Line& out, const Clause& c, Weight of) {
  if (c.recipient && weight(*c.recipient) == of) write(out, *c.recipient, Case::dative);
  if (c.object && c.front != Front::object && weight(*c.object) == of) write_object(out, c);
}

void write_front(Line& out, const Clause& c) {
  if (c.front == Front::subject) write(out, c.subject, Case::nominative);
  if (c.front == Front::object) write_object(out, c);
  if (c.front == Front::time) write(out, c.time);
  if (c.front == Front::place) write(out, *c.place);
}

void write_middle_field(Line& out, const Clause& c) {
  if (c.front != Front::subject) write(out, c.subject, Case::nominative);
  write_objects(out, c, Weight::pronoun);
  write_objects(out, c, Weight::definite);
  if (c.front != Front::time) write(out, c.time);
  write(out, c.frequency);
  if (c.negated && !takes_kein(c)) out.add("nicht", &c.negated);
  if (c.place && c.front != Front::place) write(out, *c.place);
  write_objects(out, c, Weight::indefinite);
}

void write_finite(Line& out, const Clause& c, Order order) {
  const Person person = c.subject.person();
  if (c.auxiliary) {
    return out.add(c.auxiliary->german[static_cast<size_t>(person)], &c.auxiliary);
  }
  const string_view prefix = order == Order::verb_final ? c.verb->german.prefix : "";
  out.add(join(prefix, german_present(c.verb->german, person)), &c.verb);
}

void write_rest_of_verb(Line& out, const Clause& c, Order order) {
  using enum Auxiliary::Kind;
  if (!c.auxiliary) {
    if (order == Order::verb_second) out.add(c.verb->german.prefix, &c.verb);
  } else if (c.auxiliary->kind == copula) {
    out.add(c.predicate->german, &c.predicate);
  } else {
    const auto& verb = c.verb->german;
    const bool participle = c.auxiliary->kind == perfect;
    out.add(join(verb.prefix, participle ? verb.participle : verb.infinitive), &c.verb);
  }
}

void write(Line& out, const Clause& c, Order order) {
  write_front(out, c);
  if (order == Order::verb_second) write_finite(out, c, order);
  write_middle_field(out, c);
  write_rest_of_verb(out, c, order);
  if (order == Order::verb_final) write_finite(out, c, order);
}

void write_linked(Line& out, const Sentence& s) {
  const bool coordination = s.linker->kind == Linker::Kind::coordination;
  out.add(s.linker->german, &s.linker);
  write(out, s.linked, coordination ? Order::verb_second : Order::verb_final);
}

}  // namespace

std::vector<Word> german(const Sentence& s) {
  Line out;
  if (s.linked_first) {
    write_linked(out, s);
    out.add_comma(&s.comma);
  }
  write(out, s.main, Order::verb_second);
  if (s.linker && !s.linked_first) {
    out.add_comma(&s.comma);
    write_linked(out, s);
  }
  out.add_stop(&s.stop);
  return std::move(out.words());
}

}  // namespace weft::grammar
