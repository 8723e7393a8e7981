// Sums over rows that thread on a grid fixed by the shape: cells give partial sums, which are then
// added in order.
#include <weft/core/kernels/elementwise.h>
#include <weft/core/kernels/layer_norm.h>
#include <weft/core/parallel.h>

#include <algorithm>
#include <vector>

namespace weft::kernels {
namespace {

constexpr int64_t kMaxCells = 8;
constexpr double kAffineCost = 0.3;  // nanoseconds

}  // namespace

template <class T>
void layer_norm_grad_affine(const T* x, const RowMoments<T>* moments, const T* dy, T* dgamma,
                            T* dbeta, int64_t rows, int64_t n) {
  const int64_t cells = std::clamp<int64_t>(rows * n >> 14, 1, kMaxCells);
  std::vector<T> partial(static_cast<size_t>(2 * cells * n));
  const Grain grain =
      grain_of_cost(kAffineCost * static_cast<double>(rows * n) / static_cast<double>(cells));
  parallel_for(cells, grain, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      const int64_t r = rows * c / cells, count = rows * (c + 1) / cells - r;
      T* mine = partial.data() + 2 * c * n;
      layer_norm_grad_affine_rows<T>(x + r * n, moments + r, dy + r * n, dgamma ? mine : nullptr,
                                     dbeta ? mine + n : nullptr, count, n);
    }
  });
  if (dgamma) std::fill_n(dgamma, n, T(0));
  if (dbeta) std::fill_n(dbeta, n, T(0));
  for (int64_t c = 0; c < cells; ++c) {
    const T* part = partial.data() + 2 * c * n;
    if (dgamma) add_inplace<T>(dgamma, part, n);
    if (dbeta) add_inplace<T>(dbeta, part + n, n);
  }
}

WEFT_INSTANTIATE(layer_norm_grad_affine, float, double)

}  // namespace weft::kernels
