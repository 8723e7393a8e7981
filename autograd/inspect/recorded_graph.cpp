#include <weft/autograd/graph/node.h>
#include <weft/autograd/inspect/recorded_graph.h>
#include <weft/core/detail/check.h>

#include <algorithm>
#include <map>
#include <ostream>
#include <unordered_map>
#include <unordered_set>

namespace weft {
namespace {

// All nodes below `root`, itself included, the earliest first. With a stack of its own: a graph may
// be a million nodes deep.
std::vector<const Node*> nodes_below(const char* who, const Tensor& root) {
  check(root.defined() && root.requires_grad(),
        "{}: the tensor does not depend on any tensor that requires a gradient", who);
  std::vector<const Node*> found, stack{node_of(root)};
  std::unordered_set<const Node*> seen{node_of(root)};
  while (!stack.empty()) {
    const Node* node = stack.back();
    stack.pop_back();
    found.push_back(node);
    for (const Edge& e : node->edges())
      if (e.node && seen.insert(e.node.get()).second) stack.push_back(e.node.get());
  }
  std::sort(found.begin(), found.end(),
            [](const Node* a, const Node* b) { return a->sequence() < b->sequence(); });
  return found;
}

std::string module_of(const Node& node) {
  if (!node.path()) return "(outside of modules)";
  return node.path()->empty() ? "(the outermost module)" : *node.path();
}

size_t distinct_bytes(const Tensors& tensors) {
  std::unordered_map<const Storage*, size_t> storages;
  for (const Tensor& t : tensors) storages[&t.storage()] = t.storage().bytes();
  size_t sum = 0;
  for (const auto& s : storages) sum += s.second;
  return sum;
}

// --- DOT ---

std::string escaped(const std::string& text) {
  std::string out;
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out;
}

std::string label(const Node& node, const std::map<const Node*, std::string>& leaf_names) {
  const auto known = leaf_names.find(&node);
  std::string text = known != leaf_names.end() ? known->second : node.name();
  for (int i = 0; i < node.num_outputs(); ++i) {
    const OutputExtras* extras = node.extras(i);
    const bool has_name = extras && !extras->name.empty();
    text += fmt::format("\n{}{}{} {}", has_name ? extras->name : "", has_name ? " " : "",
                        to_string(node.output(i).dtype), node.output(i).shape);
  }
  if (node.released()) return text + "\nfreed";
  const size_t bytes = distinct_bytes(node.saved());
  return bytes ? text + fmt::format("\nsaves {} bytes", bytes) : text;
}

}  // namespace

void dump_graph(const Tensor& root, std::ostream& out, const NamedTensors& names) {
  const std::vector<const Node*> nodes = nodes_below("dump_graph", root);
  std::map<const Node*, std::string> leaf_names;
  for (const NamedTensor& t : names)
    if (t.tensor.requires_grad()) leaf_names[node_of(t.tensor)] = t.name;
  std::map<const Node*, size_t> ids;
  std::map<std::string, std::string> frames;  // a module's path and the nodes in it
  for (const Node* node : nodes) {
    const size_t id = ids.size();
    ids[node] = id;
    const std::string path = node->path() ? *node->path() : std::string();
    frames[path] += fmt::format("  n{} [label=\"{}\", shape={}];\n", id,
                                escaped(label(*node, leaf_names)), node->op() ? "box" : "ellipse");
  }
  out << "digraph weft {\n";
  size_t cluster = 0;
  for (const auto& [path, lines] : frames) {
    if (path.empty())
      out << lines;
    else
      out << fmt::format("subgraph cluster{} {{\n  label=\"{}\";\n{}}}\n", cluster++, escaped(path),
                         lines);
  }
  for (const Node* node : nodes)
    for (const Edge& e : node->edges())
      if (e.node) out << fmt::format("n{} -> n{};\n", ids[e.node.get()], ids[node]);
  out << "}\n";
}

// --- Memory ---

namespace {

std::vector<SavedMemory::Row> sorted(const std::map<std::string, SavedMemory::Row>& rows) {
  std::vector<SavedMemory::Row> list;
  for (const auto& entry : rows) list.push_back(entry.second);
  std::stable_sort(list.begin(), list.end(),
                   [](const auto& a, const auto& b) { return a.bytes > b.bytes; });
  return list;
}

void add(std::map<std::string, SavedMemory::Row>& rows, const std::string& name, size_t bytes) {
  SavedMemory::Row& row = rows[name];
  row.name = name;
  row.bytes += bytes;
  ++row.tensors;
}

// Whether `saved` looks into a leaf, be it through views.
bool is_leaf_storage(const Tensor& saved) {
  const Node* node = node_of(saved);
  while (node && node->is_view()) node = node->edges()[0].node.get();
  return node && !node->op();
}

std::string table_of(const char* heading, const std::vector<SavedMemory::Row>& rows) {
  size_t width = 24;
  for (const auto& row : rows) width = std::max(width, row.name.size());
  std::string text = fmt::format("{:<{}}  {:>12}  {:>7}\n", heading, width, "bytes", "tensors");
  for (const auto& row : rows)
    text += fmt::format("{:<{}}  {:>12}  {:>7}\n", row.name, width, row.bytes, row.tensors);
  return text;
}

}  // namespace

SavedMemory saved_memory(const Tensor& root) {
  const std::vector<const Node*> nodes = nodes_below("saved_memory", root);
  std::unordered_set<const Storage*> counted;
  SavedMemory memory;
  std::vector<Tensors> saved;
  for (const Node* node : nodes) saved.push_back(node->saved());
  for (const Tensors& list : saved)
    for (const Tensor& t : list)
      if (is_leaf_storage(t) && counted.insert(&t.storage()).second)
        memory.leaf_bytes += t.storage().bytes();
  std::map<std::string, SavedMemory::Row> by_op, by_module;
  for (size_t i = 0; i < nodes.size(); ++i)
    for (const Tensor& t : saved[i]) {
      if (!counted.insert(&t.storage()).second) continue;
      const size_t bytes = t.storage().bytes();
      memory.bytes += bytes;
      add(by_op, nodes[i]->name(), bytes);
      add(by_module, module_of(*nodes[i]), bytes);
    }
  memory.by_op = sorted(by_op);
  memory.by_module = sorted(by_module);
  return memory;
}

std::string SavedMemory::table() const {
  return fmt::format("saved for backward: {} bytes, and {} of leaves\n\n{}\n{}", bytes, leaf_bytes,
                     table_of("op", by_op), table_of("module", by_module));
}

NamedTensors unreached(const Tensor& output, const NamedTensors& tensors) {
  const std::vector<const Node*> nodes = nodes_below("unreached", output);
  const std::unordered_set<const Node*> reached(nodes.begin(), nodes.end());
  NamedTensors rest;
  for (const NamedTensor& t : tensors)
    if (!t.tensor.requires_grad() || !reached.contains(node_of(t.tensor))) rest.push_back(t);
  return rest;
}

}  // namespace weft
