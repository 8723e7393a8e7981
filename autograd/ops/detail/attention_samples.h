// What attention is checked on: masks of each kind, dropout, unequal lengths and widths.
#pragma once

namespace weft {

class Samples;
void attention_samples(Samples& s);
/// Of the gradients as an op of their own.
void attention_backward_samples(Samples& s);

}  // namespace weft
