#include <weft/core/broadcast.h>
#include <weft/core/detail/binary_into.h>

namespace weft {

void binary_into(kernels::Binary op, const Tensor& a, const Tensor& b, Tensor& y) {
  const BroadcastLoop<2> loop(y.shape(), {&a, &b});
  dispatch(y.dtype(), [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (!std::is_same_v<T, bool>) {
      const T* pa = a.data<T>();
      const T* pb = b.data<T>();
      T* py = static_cast<T*>(y.raw());
      loop.run([&](int64_t at, const auto& offset, const auto& step, int64_t n) {
        kernels::binary<T>(op, pa + offset[0], step[0], pb + offset[1], step[1], py + at, n);
      });
    }
  });
}

}  // namespace weft
