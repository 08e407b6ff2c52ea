/** Items by prefix: all whose prefix a text begins with are found in one walk along the text. */

interface Node<Item> {
  /** Letters from its parent to here. */
  edge: string;
  readonly items: Item[];
  /** By the first letter of their edges. */
  readonly children: Map<number, Node<Item>>;
}

export class PrefixTree<Item> {
  readonly #root: Node<Item> = { edge: "", items: [], children: new Map() };

  add(prefix: string, item: Item): void {
    let node = this.#root;
    let at = 0;
    while (at < prefix.length) {
      const code = prefix.charCodeAt(at);
      const child = node.children.get(code);
      if (child === undefined) {
        const leaf: Node<Item> = { edge: prefix.slice(at), items: [item], children: new Map() };
        node.children.set(code, leaf);
        return;
      }
      const common = commonLength(child.edge, prefix, at);
      if (common < child.edge.length) node.children.set(code, split(child, common));
      node = node.children.get(code) ?? child;
      at += common;
    }
    node.items.push(item);
  }

  /** @param visit called with the items of each prefix that `text` begins with, shortest first */
  visit(text: string, visit: (items: readonly Item[]) => void): void {
    let node = this.#root;
    let at = 0;
    for (;;) {
      if (node.items.length > 0) visit(node.items);
      if (at >= text.length) return;
      const child = node.children.get(text.charCodeAt(at));
      if (child === undefined || !text.startsWith(child.edge, at)) return;
      at += child.edge.length;
      node = child;
    }
  }
}

function commonLength(edge: string, text: string, at: number): number {
  const most = Math.min(edge.length, text.length - at);
  let length = 0;
  while (length < most && edge.charCodeAt(length) === text.charCodeAt(at + length)) length += 1;
  return length;
}

/** A node in the middle of the edge to `child`, which keeps the rest of it. */
function split<Item>(child: Node<Item>, length: number): Node<Item> {
  const upper: Node<Item> = { edge: child.edge.slice(0, length), items: [], children: new Map() };
  child.edge = child.edge.slice(length);
  upper.children.set(child.edge.charCodeAt(0), child);
  return upper;
}
