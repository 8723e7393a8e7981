// What the compiler refuses of a kernel's call.
#include <weft/core/kernels/gemm.h>
#include <weft/core/kernels/softmax.h>

#include <cstddef>
#include <type_traits>

namespace weft::kernels {
namespace {

template <class... Arguments>
constexpr bool softmax_takes = std::is_invocable_v<decltype(softmax_rows<float>), Arguments...>;

static_assert(softmax_takes<float*, float*, int64_t, int>);
static_assert(softmax_takes<const float*, std::nullptr_t, int64_t, int64_t>);
static_assert(!softmax_takes<const double*, float*, int64_t, int64_t>, "another type");
static_assert(!softmax_takes<const float*, double*, int64_t, int64_t>, "two types");
static_assert(!softmax_takes<const float*, const float*, int64_t, int64_t>, "a constant result");
static_assert(!softmax_takes<const float*, float*, int64_t>, "too few");
static_assert(!softmax_takes<const float*, float*, int64_t, int64_t, int64_t>, "too many");

using Pack = decltype(pack_columns<double>);
static_assert(std::is_invocable_v<Pack, Strided<double>, int64_t, int64_t, PackedMatrix<double>>);
static_assert(!std::is_invocable_v<Pack, Strided<float>, int64_t, int64_t, PackedMatrix<double>>);

}  // namespace
}  // namespace weft::kernels
