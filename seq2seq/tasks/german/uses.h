// Which words a sentence shows in which constructions.
#pragma once

#include <weft/seq2seq/tasks/german/grammar.h>
#include <weft/seq2seq/tasks/german/meaning.h>

namespace weft::grammar {

std::vector<Use> uses_of(const Sentence& sentence);

}  // namespace weft::grammar
