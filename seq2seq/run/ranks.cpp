#include <weft/optim/distributed/parts.h>
#include <weft/seq2seq/run/ranks.h>

#include <numeric>
#include <span>

namespace weft {
namespace {

using Counts = std::vector<size_t>;  // of each rank

// What each rank has, one after another.
template <class T>
std::vector<T> gather(Communicator& communicator, std::span<const T> mine, const Counts& counts) {
  std::vector<T> all(std::accumulate(counts.begin(), counts.end(), size_t{0}));
  Counts bytes = counts;
  for (size_t& n : bytes) n *= sizeof(T);
  communicator.all_gather(std::as_bytes(mine), std::as_writable_bytes(std::span(all)), bytes);
  return all;
}

// The same of texts, of which the ranks have `counts`.
std::vector<std::string> gather(Communicator& communicator, const std::vector<std::string>& mine,
                                const Counts& counts) {
  std::vector<size_t> lengths;
  std::string text;
  for (const std::string& s : mine) {
    lengths.push_back(s.size());
    text += s;
  }
  lengths = gather(communicator, std::span<const size_t>(lengths), counts);
  Counts sizes;
  auto length = lengths.begin();
  for (const size_t n : counts) {
    const auto end = length + static_cast<ptrdiff_t>(n);
    sizes.push_back(std::accumulate(length, end, size_t{0}));
    length = end;
  }
  const std::vector<char> all = gather(communicator, std::span<const char>(text), sizes);
  std::vector<std::string> texts;
  const char* at = all.data();
  for (const size_t n : lengths) {
    texts.emplace_back(at, n);
    at += n;
  }
  return texts;
}

}  // namespace

Ranks::Ranks(Communicator& communicator) : communicator_(communicator) {
  if (several()) together_.emplace();
}

std::string Ranks::of_first(std::string text) const {
  text.resize(of_first(text.size()));
  communicator_.broadcast(std::as_writable_bytes(std::span(text)));
  return text;
}

std::vector<double> Ranks::in_order(const std::vector<double>& mine, int64_t n) const {
  Counts counts;
  for (int64_t rank = 0; rank < count(); ++rank)
    counts.push_back(static_cast<size_t>((n + count() - 1 - rank) / count()));
  const std::vector<double> gathered = gather(communicator_, std::span(mine), counts);
  std::vector<double> all(gathered.size());
  auto next = gathered.begin();
  for (size_t rank = 0; rank < counts.size(); ++rank)
    for (size_t i = rank; i < all.size(); i += counts.size()) all[i] = *next++;
  return all;
}

std::vector<std::string> Ranks::in_order(const std::vector<std::string>& mine,
                                         const std::vector<Batch>& groups) const {
  Counts counts(static_cast<size_t>(count()));
  for (size_t g = 0; g < groups.size(); ++g) counts[g % counts.size()] += groups[g].size();
  std::vector<std::string> gathered = gather(communicator_, mine, counts), all(gathered.size());
  auto next = gathered.begin();
  for (size_t rank = 0; rank < counts.size(); ++rank)
    for (size_t g = rank; g < groups.size(); g += counts.size())
      for (const int64_t i : groups[g]) all[static_cast<size_t>(i)] = std::move(*next++);
  return all;
}

double Ranks::sum(double mine) const {
  const Counts one_each(static_cast<size_t>(count()), 1);
  const std::vector<double> all =
      gather(communicator_, std::span<const double>(&mine, 1), one_each);
  return std::accumulate(all.begin(), all.end(), 0.);
}

std::vector<double> Ranks::of_parts(const std::vector<double>& numbers) const {
  if (!several()) return numbers;
  Counts counts;
  std::span<const double> mine;
  for (int rank = 0; rank < communicator_.size(); ++rank) {
    const PartRange range = parts_of_rank(std::ssize(numbers), rank, communicator_.size());
    counts.push_back(static_cast<size_t>(range.end - range.begin));
    if (rank == communicator_.rank())
      mine = std::span(numbers).subspan(static_cast<size_t>(range.begin), counts.back());
  }
  return gather(communicator_, mine, counts);
}

void Ranks::heed_signals() const {
  if (!several()) return;
  const int mine = interrupting_signal();
  const Counts one_each(static_cast<size_t>(count()), 1);
  for (const int signal : gather(communicator_, std::span(&mine, 1), one_each))
    if (signal != 0) throw Interrupted(signal);
}

}  // namespace weft
