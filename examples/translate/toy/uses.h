// Which words a sentence shows in which constructions.
#pragma once

#include <examples/translate/grammar.h>
#include <examples/translate/toy/meaning.h>

namespace translate::toy {

std::vector<Use> uses_of(const Sentence& sentence);

}  // namespace translate::toy
