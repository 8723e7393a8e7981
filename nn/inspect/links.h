// What a head is for: how much of its attention lies on given links, from queries to keys. A head
// that copies has its weight on the diagonal, one that reverses on the other; a head that sorts
// looks for the next in rank.
//
//   mass_on_links(a, diagonal_links(n, -1));  // [B, H]: how much each head looks one back
#pragma once

#include <weft/core/tensor.h>

namespace weft {

/// The weight that a query puts on its links, on average over those that have any; in [0, 1]. From
/// weights [B, H, Tq, Tk] and links, bool, [Tq, Tk] or [B, Tq, Tk], such as an exact alignment ->
/// [B, H]. NaN for a sentence without a link. Differentiable.
Tensor mass_on_links(const Tensor& weights, const Tensor& links);

/// Query i to key i + offset, where there is one: copying, or a shift. -> bool [n, n]. For more
/// queries or keys than take part, such as padding or an end of sentence, pad() it.
Tensor diagonal_links(int64_t n, int64_t offset = 0);

/// Query i to key n - 1 - i. -> bool [n, n].
Tensor reverse_links(int64_t n);

/// Query i to the i-th smallest of `keys`, [n] or [B, n], or to all that equal it. -> bool [n, n]
/// or [B, n, n]. NaN among the keys is an Error.
Tensor sorted_links(const Tensor& keys);

}  // namespace weft
