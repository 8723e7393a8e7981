// Blockwise attention against the formula, element by element in double, for many settings.
#include <weft/core/kernels/attention.h>
#include <weft/core/kernels/dropout.h>
#include <weft/core/parallel.h>
#include <weft/core/random.h>
#include <weft/tests/catch.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

using namespace weft;
using kernels::Attention;
using kernels::AttentionGrad;
using kernels::HeadStrides;

namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();

enum class Mask { none, padding, full, empty_rows };
enum class Bias { none, per_key, full, with_holes };

struct Setting {
  int64_t B, H, Tq, Tk, D, Dv;
  bool causal = false;
  Mask mask = Mask::none;
  Bias bias = Bias::none;
  double dropout = 0;
};

size_t at(int64_t i) { return static_cast<size_t>(i); }

template <class T>
std::vector<T> random_vector(int64_t n, uint64_t seed) {
  Generator gen(seed);
  std::vector<T> v(at(n));
  for (T& x : v) x = static_cast<T>(gen.normal());
  return v;
}

/// Heads of a packed [B, T, H * width] projection.
HeadStrides packed(int64_t heads, int64_t length, int64_t width) {
  return {length * heads * width, width, heads * width};
}

/// Inputs, outputs and gradients of one problem; gradients of y are random.
template <class T>
struct Problem {
  Setting s;
  std::vector<T> q, k, v, dy, bias, y, top, inverse, dq, dk, dv, dbias;
  std::unique_ptr<bool[]> allowed;
  Attention<T> a;

  explicit Problem(const Setting& setting) : s(setting) {
    q = random_vector<T>(s.B * s.Tq * s.H * s.D, 1);
    k = random_vector<T>(s.B * s.Tk * s.H * s.D, 2);
    v = random_vector<T>(s.B * s.Tk * s.H * s.Dv, 3);
    dy = random_vector<T>(s.B * s.Tq * s.H * s.Dv, 4);
    make_mask();
    make_bias();
    a.batch = s.B, a.heads = s.H, a.queries = s.Tq, a.keys = s.Tk;
    a.width = s.D, a.value_width = s.Dv;
    a.q = q.data(), a.k = k.data(), a.v = v.data();
    a.q_at = packed(s.H, s.Tq, s.D), a.k_at = packed(s.H, s.Tk, s.D),
    a.v_at = packed(s.H, s.Tk, s.Dv);
    a.scale = 1 / std::sqrt(static_cast<double>(s.D));
    a.causal = s.causal;
    a.dropout = s.dropout;
    a.key = {17, 5};
  }

  void make_mask() {
    if (s.mask == Mask::none) return;
    allowed = std::make_unique<bool[]>(at(s.B * s.Tq * s.Tk));
    a.allowed = allowed.get();
    Generator gen(9);
    if (s.mask == Mask::padding) {  // [B, 1, 1, Tk]
      a.allowed_at = {s.Tk, 0, 0, 1};
      for (int64_t b = 0; b < s.B; ++b)
        for (int64_t j = 0; j < s.Tk; ++j) allowed[at(b * s.Tk + j)] = j < s.Tk - (3 * b) % s.Tk;
      return;
    }
    a.allowed_at = {s.Tq * s.Tk, 0, s.Tk, 1};  // [B, 1, Tq, Tk]
    for (int64_t r = 0; r < s.B * s.Tq; ++r)
      for (int64_t j = 0; j < s.Tk; ++j)
        allowed[at(r * s.Tk + j)] =
            gen.uniform() < 0.7 && !(s.mask == Mask::empty_rows && r % 3 == 0);
  }

  void make_bias() {
    if (s.bias == Bias::none) return;
    bias = random_vector<T>(s.H * s.Tq * s.Tk, 6);
    a.bias_at = {0, s.Tq * s.Tk, s.Tk, 1};  // [1, H, Tq, Tk]
    if (s.bias == Bias::per_key) a.bias_at = {0, s.Tk, 0, 1};
    if (s.bias == Bias::with_holes)
      for (size_t i = 0; i < bias.size(); i += 3) bias[i] = static_cast<T>(-kInf);
    a.bias = bias.data();
  }

  void run() {
    const HeadStrides y_at = packed(s.H, s.Tq, s.Dv);
    y.assign(dy.size(), T(7));
    top.assign(at(s.B * s.H * s.Tq), T(7));
    inverse = top;
    kernels::attention(a, y.data(), y_at, {top.data(), inverse.data()});
    dq.assign(q.size(), T(7));
    dk.assign(k.size(), T(7));
    dv.assign(v.size(), T(7));
    dbias.assign(at(s.B * s.H * s.Tq * s.Tk), T(7));
    AttentionGrad<T> g;
    g.y = y.data(), g.top = top.data(), g.inverse = inverse.data(), g.dy = dy.data();
    g.y_at = g.dy_at = y_at;
    g.dq = dq.data(), g.dk = dk.data(), g.dv = dv.data(), g.dbias = dbias.data();
    g.dq_at = a.q_at, g.dk_at = a.k_at, g.dv_at = a.v_at;
    kernels::attention_grad(a, g);
  }
};

/// The formula; one (b, h) at a time.
struct Reference {
  std::vector<double> y, dq, dk, dv, dbias;
};

template <class T>
class Formula {
 public:
  explicit Formula(const Problem<T>& p) : p_(p), s_(p.s) {
    out_.y.assign(p.y.size(), 0);
    out_.dq.assign(p.q.size(), 0);
    out_.dk.assign(p.k.size(), 0);
    out_.dv.assign(p.v.size(), 0);
    out_.dbias.assign(at(s_.B * s_.H * s_.Tq * s_.Tk), 0);
    for (int64_t b = 0; b < s_.B; ++b)
      for (int64_t h = 0; h < s_.H; ++h)
        for (int64_t i = 0; i < s_.Tq; ++i) row(b, h, i);
  }
  const Reference& result() const { return out_; }

 private:
  static size_t index(const HeadStrides& x, int64_t b, int64_t h, int64_t t, int64_t d) {
    return at(b * x.batch + h * x.head + t * x.row + d);
  }

  double score(int64_t b, int64_t h, int64_t i, int64_t j) const {
    const Attention<T>& a = p_.a;
    const auto &am = a.allowed_at, &bm = a.bias_at;
    if (a.causal && j > i) return -kInf;
    if (a.allowed && !a.allowed[b * am.batch + h * am.head + i * am.query + j * am.key])
      return -kInf;
    double sum = 0;
    for (int64_t d = 0; d < s_.D; ++d)
      sum += static_cast<double>(p_.q[index(a.q_at, b, h, i, d)]) *
             static_cast<double>(p_.k[index(a.k_at, b, h, j, d)]);
    sum *= a.scale;
    if (a.bias)
      sum += static_cast<double>(a.bias[b * bm.batch + h * bm.head + i * bm.query + j * bm.key]);
    return sum;
  }

  std::vector<double> weights(int64_t b, int64_t h, int64_t i) const {
    std::vector<double> w(at(s_.Tk));
    double top = -kInf, total = 0;
    for (int64_t j = 0; j < s_.Tk; ++j) top = std::max(top, w[at(j)] = score(b, h, i, j));
    if (top == -kInf) return std::vector<double>(at(s_.Tk), 0.0);
    for (double& x : w) total += x = std::exp(x - top);
    for (double& x : w) x /= total;
    return w;
  }

  std::vector<double> mask(int64_t b, int64_t h, int64_t i) const {
    std::vector<double> m(at(s_.Tk), 1.0);
    if (s_.dropout > 0)
      kernels::dropout<double>(m.data(), m.data(), ((b * s_.H + h) * s_.Tq + i) * s_.Tk, s_.Tk,
                               s_.dropout, p_.a.key);
    return m;
  }

  void row(int64_t b, int64_t h, int64_t i) {
    const Attention<T>& a = p_.a;
    const HeadStrides y_at = packed(s_.H, s_.Tq, s_.Dv);
    const auto w = weights(b, h, i), m = mask(b, h, i);
    std::vector<double> dw(at(s_.Tk));
    double dot = 0;
    for (int64_t j = 0; j < s_.Tk; ++j) {
      for (int64_t d = 0; d < s_.Dv; ++d) {
        const double g = static_cast<double>(p_.dy[index(y_at, b, h, i, d)]);
        const double v = static_cast<double>(p_.v[index(a.v_at, b, h, j, d)]);
        out_.y[index(y_at, b, h, i, d)] += w[at(j)] * m[at(j)] * v;
        out_.dv[index(a.v_at, b, h, j, d)] += w[at(j)] * m[at(j)] * g;
        dw[at(j)] += m[at(j)] * g * v;
      }
      dot += w[at(j)] * dw[at(j)];
    }
    for (int64_t j = 0; j < s_.Tk; ++j) {
      const double ds = w[at(j)] * (dw[at(j)] - dot);
      out_.dbias[at(((b * s_.H + h) * s_.Tq + i) * s_.Tk + j)] = ds;
      for (int64_t d = 0; d < s_.D; ++d) {
        out_.dq[index(a.q_at, b, h, i, d)] +=
            a.scale * ds * static_cast<double>(p_.k[index(a.k_at, b, h, j, d)]);
        out_.dk[index(a.k_at, b, h, j, d)] +=
            a.scale * ds * static_cast<double>(p_.q[index(a.q_at, b, h, i, d)]);
      }
    }
  }

  const Problem<T>& p_;
  const Setting s_;
  Reference out_;
};

template <class T>
double largest_difference(const std::vector<T>& got, const std::vector<double>& want) {
  double worst = 0;
  for (size_t i = 0; i < got.size(); ++i) {
    const double error = std::abs(static_cast<double>(got[i]) - want[i]);
    worst = error > worst || std::isnan(error) ? error : worst;
  }
  return worst;
}

template <class T>
void check_against_formula(const Setting& s, double tolerance) {
  Problem<T> p(s);
  p.run();
  const Formula<T> formula(p);
  const Reference& want = formula.result();
  CHECK(largest_difference(p.y, want.y) < tolerance);
  CHECK(largest_difference(p.dq, want.dq) < tolerance);
  CHECK(largest_difference(p.dk, want.dk) < tolerance);
  CHECK(largest_difference(p.dv, want.dv) < tolerance);
  CHECK(largest_difference(p.dbias, want.dbias) < tolerance);
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0;
}

}  // namespace

TEST_CASE("attention equals its formula, forward and backward", "[kernels]") {
  const std::vector<Setting> shapes = {
      {1, 1, 1, 1, 1, 1},      {2, 2, 3, 5, 4, 3},      {2, 3, 16, 16, 32, 32},
      {1, 2, 64, 128, 64, 64}, {1, 1, 65, 129, 16, 48}, {2, 1, 130, 300, 24, 8},
      {1, 2, 7, 260, 5, 33},   {3, 1, 200, 10, 17, 16}, {1, 1, 70, 1300, 8, 8},
      {3, 2, 1, 5, 4, 3},      {3, 2, 1, 17, 32, 32},   {2, 1, 1, 300, 20, 33},
  };
  for (Setting s : shapes)
    for (bool causal : {false, true})
      for (Mask mask : {Mask::none, Mask::padding, Mask::full, Mask::empty_rows})
        for (double dropout : {0.0, 0.3}) {
          s.causal = causal;
          s.mask = mask;
          s.dropout = dropout;
          CAPTURE(s.Tq, s.Tk, s.D, s.Dv, causal, static_cast<int>(mask), dropout);
          check_against_formula<double>(s, 1e-11);
          check_against_formula<float>(s, 5e-5);
        }
}

TEST_CASE("attention adds a bias, and hides where it is -inf", "[kernels]") {
  for (Bias bias : {Bias::per_key, Bias::full, Bias::with_holes})
    for (bool causal : {false, true})
      for (int64_t queries : {1, 70}) {
        Setting s{2, 2, queries, 140, 8, 12, causal};
        s.bias = bias;
        s.mask = causal ? Mask::padding : Mask::none;
        check_against_formula<double>(s, 1e-11);
        check_against_formula<float>(s, 5e-5);
      }
}

TEST_CASE("attention's gradients know equal scores however low a bias puts them", "[kernels]") {
  auto check = [](auto tag) {
    using T = decltype(tag);
    for (auto [queries, dropout] : {std::pair(70, 0.0), {70, 0.4}, {1, 0.0}, {1, 0.4}}) {
      Problem<T> p({1, 2, queries, 140, 8, 8, false, Mask::none, Bias::none, dropout});
      p.q.assign(p.q.size(), T(0));
      p.run();
      const std::vector<T> y = p.y, dq = p.dq, dk = p.dk, dv = p.dv, dbias = p.dbias;
      for (const T bias : {static_cast<T>(-1e9), std::numeric_limits<T>::lowest()}) {
        p.a.bias = &bias;
        p.run();
        CHECK(p.y == y);
        CHECK(p.dq == dq);
        CHECK(p.dk == dk);
        CHECK(p.dv == dv);
        CHECK(p.dbias == dbias);
      }
    }
  };
  check(float());
  check(double());
}

TEST_CASE("attention's gradients know the weights of scores near 1e8", "[kernels]") {
  const int64_t queries = GENERATE(1, 2, 65);
  Problem<float> p({1, 1, queries, 40, 24, 8});
  for (float& x : p.k) x = 4000 + 100 * x;  // sums round by 8: another order would be e^8 off
  for (float& x : p.q) x = 1000 + 10 * x;
  p.a.scale = 1;
  p.run();
  double from_weights = 0, from_gradients = 0;  // sum of dv = sum over queries of w dy
  for (const float g : p.dy) from_weights += static_cast<double>(g);
  for (const float g : p.dv) from_gradients += static_cast<double>(g);
  CHECK(from_gradients == Approx(from_weights).epsilon(1e-4));
}

TEST_CASE("attention without keys or with all of them hidden gives exact zeros", "[kernels]") {
  const int64_t queries = GENERATE(1, 3);
  Problem<float> none({1, 2, queries, 0, 4, 4});
  none.run();
  CHECK(none.y == std::vector<float>(none.y.size(), 0.0f));
  CHECK(none.dq == std::vector<float>(none.q.size(), 0.0f));
  CHECK(none.top == std::vector<float>(none.top.size(), INFINITY));
  CHECK(none.inverse == std::vector<float>(none.top.size(), 0.0f));

  Problem<float> p({1, 1, queries == 1 ? 1 : 70, 140, 8, 8});
  const bool nothing = false;
  p.a.allowed = &nothing;
  p.run();
  CHECK(p.y == std::vector<float>(p.y.size(), 0.0f));
  CHECK(p.dq == std::vector<float>(p.q.size(), 0.0f));
  CHECK(p.dk == std::vector<float>(p.k.size(), 0.0f));
  CHECK(p.dv == std::vector<float>(p.v.size(), 0.0f));
}

TEST_CASE("a hidden key changes no bit of the output and has gradients of exactly 0", "[kernels]") {
  for (double dropout : {0.0, 0.2}) {
    Setting s{2, 2, 80, 150, 16, 16};
    s.mask = Mask::padding;
    s.dropout = dropout;
    Problem<float> one(s), other(s);
    const int64_t b = 1, hidden = s.Tk - 1;  // entry 1 hides its last three keys
    for (int64_t d = 0; d < s.H * s.D; ++d) {
      other.k[at((b * s.Tk + hidden) * s.H * s.D + d)] = 1e4f;
      other.v[at((b * s.Tk + hidden) * s.H * s.D + d)] = -1e4f;
    }
    one.run();
    other.run();
    CHECK(same_bits(one.y, other.y));
    CHECK(same_bits(one.dq, other.dq));
    CHECK(same_bits(one.dk, other.dk));
    for (int64_t d = 0; d < s.H * s.D; ++d) {
      CHECK(other.dk[at((b * s.Tk + hidden) * s.H * s.D + d)] == 0);
      CHECK(other.dv[at((b * s.Tk + hidden) * s.H * s.D + d)] == 0);
    }
  }
}

TEST_CASE("attention has the same bits at any number of threads", "[kernels]") {
  const int before = num_threads();
  // Of one head backward cuts the keys, of six the heads.
  Setting s =
      GENERATE(Setting{2, 3, 150, 200, 32, 32, true}, Setting{1, 1, 150, 1200, 16, 16, true});
  s.dropout = 0.1;
  set_num_threads(1);
  Problem<float> one(s);
  one.run();
  for (int threads : {2, 3, 7}) {
    set_num_threads(threads);
    Problem<float> other(s);
    other.run();
    CHECK(same_bits(one.y, other.y));
    CHECK(same_bits(one.dq, other.dq));
    CHECK(same_bits(one.dk, other.dk));
    CHECK(same_bits(one.dv, other.dv));
  }
  set_num_threads(before);
}

TEST_CASE("attention survives large scores", "[kernels]") {
  Problem<float> p({1, 1, GENERATE(1, 5), 200, 8, 8});
  p.a.scale = 1e4;
  p.run();
  for (float x : p.y) CHECK(std::isfinite(x));
  for (float x : p.dq) CHECK(std::isfinite(x));
}
