// einsum: products and sums over labelled dims (the notation of numpy.einsum and torch.einsum).
//
//   einsum("bqd,bkd->bqk", {q, k}):  y[b,q,k] = sum over d of q[b,q,d] k[b,k,d]
//
// Operands are joined from left to right, each pair by one matmul: labels of both that are needed
// later become its batch, others of both its inner dim. "..." becomes one digit for each dim that
// no letter names, counted from the right, so that these dims align as in broadcasting.
#include <weft/autograd/graph/op.h>
#include <weft/autograd/graph/samples.h>
#include <weft/autograd/ops.h>
#include <weft/core/detail/check.h>

#include <algorithm>
#include <array>
#include <optional>

namespace weft {
namespace {

// A tensor whose dims have labels: letters, or digits for dims under "...".
struct Term {
  Tensor t;
  std::string labels;
  int64_t size(char label) const { return t.size(static_cast<int>(labels.find(label))); }
};

bool has(const std::string& labels, char c) { return labels.find(c) != std::string::npos; }

template <class F>
std::string filter(const std::string& labels, F keep) {
  std::string kept;
  std::copy_if(labels.begin(), labels.end(), std::back_inserter(kept), keep);
  return kept;
}

[[noreturn]] void fail_syntax(const std::string& equation) {
  fail("einsum: expected letters, commas, \"...\" and one \"->\"; got \"{}\"", equation);
}

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// "...ab" with two further dims: "10ab".
std::string spell_out(const std::string& equation, std::string labels, int further) {
  std::string digits;
  for (int i = further; i-- > 0;) digits += static_cast<char>('0' + i);
  const size_t dots = labels.find("...");
  if (dots != std::string::npos) labels.erase(dots, 3);
  if (!std::all_of(labels.begin(), labels.end(), is_letter)) fail_syntax(equation);
  return dots == std::string::npos ? labels : labels.insert(dots, digits);
}

std::vector<std::string> split_at_commas(const std::string& text) {
  std::vector<std::string> parts(1);
  for (char c : text)
    if (c == ',')
      parts.emplace_back();
    else
      parts.back() += c;
  return parts;
}

class Equation {
 public:
  Equation(std::string_view text, const Tensors& operands) : text_(text) {
    const std::string dense = filter(text_, [](char c) { return c != ' '; });
    const size_t arrow = dense.find("->");
    const auto inputs = split_at_commas(dense.substr(0, arrow));
    check(inputs.size() == operands.size(), "einsum: \"{}\" names {} operands; got {}", text_,
          inputs.size(), operands.size());
    for (size_t i = 0; i < inputs.size(); ++i) terms_.push_back(term(inputs[i], operands[i], i));
    result_ = arrow == std::string::npos ? implicit_result()
                                         : spell_out(text_, dense.substr(arrow + 2), widest_);
    for (char c : result_) check_result(c);
  }

  const std::vector<Term>& terms() const { return terms_; }
  const std::string& result() const { return result_; }

 private:
  Term term(const std::string& labels, const Tensor& t, size_t i) {
    check(t.defined(), "einsum: operand {} is undefined", i);
    const bool dots = has(labels, '.');
    const int letters = static_cast<int>(labels.size()) - (dots ? 3 : 0);
    const int further = t.dim() - letters;
    Term whole{t, spell_out(text_, labels, further)};
    check(dots ? further >= 0 : further == 0,
          "einsum: operand {} of \"{}\" must have {}{} dims; got shape {}", i, text_,
          dots ? "at least " : "", letters, t.shape());
    widest_ = std::max(widest_, further);
    for (int d = 0; d < t.dim(); ++d) note_size(whole.labels[static_cast<size_t>(d)], t.size(d));
    return whole;
  }

  // Sizes of one label agree, or one of them is 1 and broadcasts.
  void note_size(char label, int64_t size) {
    std::optional<int64_t>& known = sizes_[static_cast<unsigned char>(label)];
    check(!known || known == 1 || size == 1 || size == known,
          "einsum: label {} of \"{}\" is both {} and {} long", label, text_, known.value_or(0),
          size);
    if (!known || known == 1) known = size;
  }

  // The dims under "...", then the letters that stand once, in alphabetical order.
  std::string implicit_result() const {
    std::string all;
    for (const Term& t : terms_) all += filter(t.labels, is_letter);
    std::sort(all.begin(), all.end());
    auto once = [&](char c) { return std::count(all.begin(), all.end(), c) == 1; };
    return spell_out(text_, "...", widest_) + filter(all, once);
  }

  void check_result(char c) const {
    check(std::count(result_.begin(), result_.end(), c) == 1,
          "einsum: label {} is twice in the result of \"{}\"", c, text_);
    auto names = [c](const Term& t) { return has(t.labels, c); };
    check(std::any_of(terms_.begin(), terms_.end(), names),
          "einsum: label {} of the result of \"{}\" is in no operand", c, text_);
  }

  std::string text_, result_;
  std::vector<Term> terms_;
  int widest_ = 0;                                 // dims under "..."
  std::array<std::optional<int64_t>, 128> sizes_;  // by label, of those seen
};

// The dims in this order of labels.
Tensor arrange(const Term& x, const std::string& order) {
  if (x.labels == order) return x.t;
  Shape dims;
  for (char c : order) dims.push_back(static_cast<int64_t>(x.labels.find(c)));
  return permute(x.t, dims);
}

// A label that stands twice: the diagonal, which is every (n + 1)-th element of the two dims as
// one.
Term diagonals(const Term& x, std::string_view equation) {
  const std::string& labels = x.labels;
  auto twice = [&](char c) { return std::count(labels.begin(), labels.end(), c) > 1; };
  const size_t i =
      static_cast<size_t>(std::find_if(labels.begin(), labels.end(), twice) - labels.begin());
  if (i == labels.size()) return x;
  const size_t j = labels.find(labels[i], i + 1);
  const int64_t n = x.t.size(static_cast<int>(i)), m = x.t.size(static_cast<int>(j));
  check(n == m, "einsum: label {} of \"{}\" is both {} and {} long", labels[i], equation, n, m);
  Term rest;
  Shape order, merged;
  for (size_t d = 0; d < labels.size(); ++d) {
    if (d == i || d == j) continue;
    rest.labels += labels[d];
    order.push_back(static_cast<int64_t>(d));
    merged.push_back(x.t.size(static_cast<int>(d)));
  }
  order.push_back(static_cast<int64_t>(i));
  order.push_back(static_cast<int64_t>(j));
  merged.push_back(n * n);
  std::vector<int64_t> steps;
  for (int64_t k = 0; k < n; ++k) steps.push_back(k * (n + 1));
  rest.t = index_select(reshape(permute(x.t, order), merged), -1, from_vector(steps, {n}));
  rest.labels += labels[i];
  return diagonals(rest, equation);
}

// Sums over the labels that nobody needs.
Term reduce(const Term& x, const std::string& needed) {
  Shape dims;
  for (size_t d = 0; d < x.labels.size(); ++d)
    if (!has(needed, x.labels[d])) dims.push_back(static_cast<int64_t>(d));
  if (dims.rank() == 0) return x;
  return {sum(x.t, dims), filter(x.labels, [&](char c) { return has(needed, c); })};
}

// x as a batch of matrices. Where the other term has more than one along a label, x stretches.
Tensor matrices(const Term& x, const Term& other, const std::string& batch, const std::string& rows,
                const std::string& columns) {
  const std::string labels = batch + rows + columns;
  Tensor t = arrange(x, labels);
  Shape full;
  for (char c : labels)
    full.push_back(has(other.labels, c) && x.size(c) == 1 ? other.size(c) : x.size(c));
  if (full != t.shape()) t = expand(t, full);
  Shape merged;
  int d = 0;
  for (const std::string* group : {&batch, &rows, &columns}) {
    int64_t n = 1;
    for (size_t i = 0; i < group->size(); ++i) n *= full[d++];
    merged.push_back(n);
  }
  return reshape(t, merged);
}

// The product of two terms, summed over what both have and nobody needs.
Term join(const Term& left, const Term& right, const std::string& needed) {
  const Term a = reduce(left, needed + right.labels), b = reduce(right, needed + left.labels);
  auto shared = [&](bool wanted) {
    return filter(a.labels, [&](char c) { return has(b.labels, c) && has(needed, c) == wanted; });
  };
  auto own = [](const Term& x, const Term& other) {
    return filter(x.labels, [&](char c) { return !has(other.labels, c); });
  };
  const std::string batch = shared(true), inner = shared(false), rows = own(a, b),
                    columns = own(b, a);
  const Tensor y =
      matmul(matrices(a, b, batch, rows, inner), matrices(b, a, batch, inner, columns));
  Shape shape;
  for (char c : batch) shape.push_back(a.size(c) == 1 ? b.size(c) : a.size(c));
  for (char c : rows) shape.push_back(a.size(c));
  for (char c : columns) shape.push_back(b.size(c));
  return {reshape(y, shape), batch + rows + columns};
}

}  // namespace

Tensor einsum(std::string_view equation, const Tensors& operands) {
  const Equation e(equation, operands);
  std::vector<Term> terms;
  for (const Term& t : e.terms()) terms.push_back(diagonals(t, equation));
  Term y = terms[0];
  for (size_t i = 1; i < terms.size(); ++i) {
    std::string needed = e.result();
    for (size_t k = i + 1; k < terms.size(); ++k) needed += terms[k].labels;
    y = join(y, terms[i], needed);
  }
  return arrange(reduce(y, e.result()), e.result());
}

namespace {

void add_sample(Samples& s, const char* equation, Tensors inputs) {
  s.add(equation, std::move(inputs),
        [equation](const Tensors& in) { return einsum(equation, in); });
}

void add_error(Samples& s, const char* equation, Tensors inputs, const char* message) {
  s.add_error(
      std::move(inputs), [equation](const Tensors& in) { return einsum(equation, in); }, message);
}

void einsum_samples(Samples& s) {
  s.add(
      "bqd,bkd->bqk", {s.normal({2, 3, 4}), s.normal({2, 2, 4})},
      [](const Tensors& in) { return einsum("bqd,bkd->bqk", in); },
      [](const Tensors& in) { return matmul(in[0], transpose(in[1], 1, 2)); });
  s.add(
      "ij,ij->i", {s.normal({2, 3}), s.transposed({2, 3})},
      [](const Tensors& in) { return einsum("ij,ij->i", in); },
      [](const Tensors& in) { return sum(in[0] * in[1], {1}); });
  add_sample(s, "ij,jk->ki", {s.normal({2, 3}), s.normal({3, 2})});
  add_sample(s, "ij,jk", {s.transposed({2, 3}), s.normal({3, 2})});
  add_sample(s, "ba", {s.normal({2, 3})});  // the result is "ab"
  add_sample(s, "i,j->ij", {s.normal({2}), s.normal({3})});
  add_sample(s, "ij->", {s.normal({2, 3})});
  add_sample(s, "ii->i", {s.normal({3, 3})});
  add_sample(s, "ijij->ji", {s.normal({2, 3, 2, 3})});
  add_sample(s, "ab,bc,cd->ad", {s.normal({2, 3}), s.normal({3, 2}), s.normal({2, 2})});
  add_sample(s, "bn,anm,bm->ba", {s.normal({2, 3}), s.normal({2, 3, 2}), s.normal({2, 2})});
  add_sample(s, "...ij,...jk->...ik", {s.normal({2, 1, 2, 3}), s.normal({2, 3, 2})});
  add_sample(s, "i...,i...", {s.normal({2, 3}), s.normal({2, 1})});
  add_sample(s, "ij,j->i", {s.normal({2, 1}), s.normal({3})});
  add_sample(s, " i j , j -> i ", {s.normal({0, 3}), s.normal({3})});
  add_sample(s, "i,i->i", {s.normal({1}), s.normal({0})});
  add_sample(s, "ij,ij->ij", {s.normal({0, 3}), s.normal({1, 1})});
  add_sample(s, "ij,jk->ik", {s.normal({2, 0}), s.normal({1, 3})});
  add_sample(s, "bij,bj->bi", {s.normal({1, 2, 1}), s.normal({0, 3})});
  add_error(s, "i,i->i", {s.normal({0}), s.normal({3})},
            "einsum: label i of \"i,i->i\" is both 0 and 3 long");
  add_error(s, "ij,jk->ik", {s.normal({2, 3})}, "einsum: \"ij,jk->ik\" names 2 operands; got 1");
  add_error(s, "ij->i", {s.normal({2, 3, 4})},
            "einsum: operand 0 of \"ij->i\" must have 2 dims; got shape [2, 3, 4]");
  add_error(s, "ij...->i", {s.normal({2})},
            "einsum: operand 0 of \"ij...->i\" must have at least 2 dims; got shape [2]");
  add_error(s, "ij,jk->ik", {s.normal({2, 3}), s.normal({2, 3})},
            "einsum: label j of \"ij,jk->ik\" is both 3 and 2 long");
  add_error(s, "i,i,i->i", {s.normal({1}), s.normal({3}), s.normal({2})},
            "einsum: label i of \"i,i,i->i\" is both 3 and 2 long");
  add_error(s, "ii->i", {s.normal({2, 3})}, "einsum: label i of \"ii->i\" is both 2 and 3 long");
  add_error(s, "ii->i", {s.normal({1, 3})}, "einsum: label i of \"ii->i\" is both 1 and 3 long");
  add_error(s, "ij->k", {s.normal({2, 3})},
            "einsum: label k of the result of \"ij->k\" is in no operand");
  add_error(s, "ij->ii", {s.normal({2, 3})},
            "einsum: label i is twice in the result of \"ij->ii\"");
  add_error(s, "i1->i", {s.normal({2, 3})},
            "einsum: expected letters, commas, \"...\" and one \"->\"; got \"i1->i\"");
  add_error(s, "i>i", {s.normal({2})},
            "einsum: expected letters, commas, \"...\" and one \"->\"; got \"i>i\"");
  add_error(s, "i.j->i", {s.normal({2, 3})},
            "einsum: expected letters, commas, \"...\" and one \"->\"; got \"i.j->i\"");
}

const Op kEinsum{"einsum", einsum_samples};

}  // namespace
}  // namespace weft
