#include <weft/core/broadcast.h>

namespace weft {

Shape broadcast_strides(const Tensor& t, const Shape& shape) {
  const int added = shape.rank() - t.dim();
  Shape strides = Shape::filled(shape.rank(), 0);
  for (int d = 0; d < t.dim(); ++d)
    if (t.shape()[d] != 1) strides[d + added] = t.strides()[d];
  return strides;
}

}  // namespace weft
