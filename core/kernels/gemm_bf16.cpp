#include <weft/core/kernels/gemm_bf16.h>
#include <weft/core/kernels/gemm_tiles.h>

namespace weft::kernels::avx512_bf16 {
namespace {

constexpr int64_t kDepth = 512;             // of k at a time
constexpr int64_t kHeight = 8 * kTileRows;  // rows of A packed at a time
constexpr int64_t kStage = 64;              // of k that are packed as float before they are rounded
constexpr int64_t kWidth = kTileColumns<Bf16Pair>;
constexpr int64_t kBroad = 16 * kWidth;  // columns of a panel of B: 512 KiB of them

int64_t pairs_of(int64_t k) { return (k + 1) / 2; }

Strided<float> part_of(const Strided<float>& x, int64_t i, int64_t j) {
  return {x.data + i * x.row + j * x.column, x.row, x.column};
}

/// Where the panel of b that starts at row p and column j stands.
Bf16Pair* panel_at(const PackedMatrix<Bf16Pair>& b, int64_t p, int64_t j) {
  return b.data + p / 2 * packed_columns(b.n) + j * pairs_of(least(kDepth, b.k - p));
}

/// x in bfloat16, rounded to the nearest, ties to even; a NaN stays one.
WEFT_INLINE uint32_t bf16_of(float x) {
  const uint32_t bits = as_bits(x);
  const uint32_t rounded = bits + 0x7fffu + ((bits >> 16) & 1u);
  return (x == x ? rounded : bits | 0x400000u) >> 16;
}

/// out = rows [k, kStep] of `x` in pairs, the last with a zero if k is odd.
template <int64_t kStep>
void join_pairs(int64_t k, const float* x, Bf16Pair* out) {
  for (int64_t p = 0; p + 2 <= k; p += 2, x += 2 * kStep, out += kStep)
    for (int64_t j = 0; j < kStep; ++j) out[j] = bf16_of(x[j]) | bf16_of(x[kStep + j]) << 16;
  if (k % 2)
    for (int64_t j = 0; j < kStep; ++j) out[j] = bf16_of(x[j]);
}

void pack_sliver(int64_t depth, int64_t width, const Strided<float>& b, Bf16Pair* out) {
  alignas(kVectorBytes) float staged[kStage * kWidth] = {};
  for (int64_t p = 0; p < depth; p += kStage) {
    const int64_t count = least(kStage, depth - p);
    pack(count, width, part_of(b, p, 0), staged);
    join_pairs<kWidth>(count, staged, out + p / 2 * kWidth);
  }
}

/// out = a [height, depth] as RowPanels.
void pack_rows_of(int64_t height, int64_t depth, const Strided<float>& a, Bf16Pair* out) {
  alignas(kVectorBytes) float staged[kStage * kHeight] = {};
  for (int64_t p = 0; p < depth; p += kStage) {
    const int64_t count = least(kStage, depth - p);
    pack_rows(height, count, part_of(a, 0, p), staged);
    for (int64_t i = 0; i < height; i += kTileRows)
      join_pairs<kTileRows>(count, staged + i * count,
                            out + i * pairs_of(depth) + p / 2 * kTileRows);
  }
}

void packed_block(int64_t m, int64_t n, int64_t depth, const Strided<float>& a,
                  const Panel<Bf16Pair>& b, Scale<float> scale, float* c, int64_t ldc) {
  alignas(kVectorBytes) Bf16Pair rows[kDepth / 2 * kHeight];
  const int64_t pairs = pairs_of(depth);
  for (int64_t i = 0; i < m; i += kHeight) {
    const int64_t height = least(kHeight, m - i);
    pack_rows_of(height, depth, part_of(a, i, 0), rows);
    for (int64_t r = 0; r < height; r += kTileRows)
      multiply(least(kTileRows, height - r), n, pairs,
               from_row(RowPanels<Bf16Pair>{rows, pairs}, r), b, scale, c + (i + r) * ldc, ldc);
  }
}

}  // namespace

void pack_columns(const Strided<float>& b, int64_t begin, int64_t end, PackedMatrix<Bf16Pair> out) {
  for (int64_t p = 0; p < out.k; p += kDepth) {
    const int64_t depth = least(kDepth, out.k - p);
    for (int64_t j = begin; j < end; j += kWidth)
      pack_sliver(depth, least(kWidth, end - j), part_of(b, p, j), panel_at(out, p, j));
  }
}

void gemm_packed(int64_t m, int64_t begin, int64_t end, float alpha, const Strided<float>& a,
                 PackedMatrix<Bf16Pair> b, float beta, float* c, int64_t ldc) {
  for (int64_t p = 0; p < b.k; p += kDepth) {
    const int64_t depth = least(kDepth, b.k - p);
    const Scale<float> scale{alpha, p == 0 ? beta : 1};
    for (int64_t j = begin; j < end; j += kBroad) {
      const Panel<Bf16Pair> panel{panel_at(b, p, j), kWidth, kWidth * pairs_of(depth)};
      packed_block(m, least(kBroad, end - j), depth, part_of(a, 0, p), panel, scale, c + j, ldc);
    }
  }
}

}  // namespace weft::kernels::avx512_bf16
