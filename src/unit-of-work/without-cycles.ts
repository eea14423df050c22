/** Leaves out where tracked objects lead back to what led to them, so that a graph with cycles can be written as a tree. */
import { isLookedThrough } from './led-to.js';
import { leadsNowhere, ObjectGraph, type Visit } from './object-graph.js';

const LEFT_OUT = Symbol('left out');

/**
 * Where every object leads to every other (books and their genres), the ways through them are too many to write, and
 * longer than class-transformer's stack. Then the tree ends early: it has its first levels, all of them complete.
 */
const FEW_COPIES = 10_000;
const COPIES_PER_REFERENCE = 4;
const MOST_LEVELS = 200;

/** A copy to be filled, and the way within its component on which it was reached. */
interface Step {
  readonly visit: Visit;
  readonly copy: object;
  readonly before: Step | undefined;
  readonly level: number;
}

/**
 * The value itself where no tracked object is on a cycle. Otherwise the objects on the way to a cut are copied, with their
 * classes, and a tracked object that is its own ancestor is left out: its property, or its element of an array.
 */
export function withoutCycles<Value>(value: Value): Value {
  if (typeof value !== 'object' || value === null || !isLookedThrough(value, undefined)) return value;
  // Most of what JSON.stringify asks leads nowhere.
  if (!Array.isArray(value) && leadsNowhere(value)) return value;
  const graph = new ObjectGraph(value);
  const root = graph.cutAt(value);
  return root === undefined ? value : (new Unrolling(graph).unroll(root) as Value);
}

class Unrolling {
  /** Where a component is entered nothing of it is an ancestor yet: one copy serves all who lead there. */
  readonly #entries = new Map<Visit, object>();
  readonly #widths = new Map<Visit, number>();
  readonly #mostCopies: number;
  #copies = 0;
  #next: Step[] = [];

  constructor(private readonly graph: ObjectGraph) {
    this.#mostCopies = Math.max(FEW_COPIES, COPIES_PER_REFERENCE * graph.references);
  }

  unroll(root: Visit): object {
    const copy = this.#enter(root);
    while (this.#next.length > 0) {
      const steps = this.#next;
      this.#next = [];
      for (const { visit } of steps) this.#copies += this.#widthOf(visit);
      for (const step of steps) this.#fill(step);
    }
    return copy;
  }

  #enter(visit: Visit): object {
    let copy = this.#entries.get(visit);
    if (copy === undefined) {
      this.#entries.set(visit, (copy = blank(visit.source)));
      this.#next.push({ visit, copy, before: undefined, level: 0 });
    }
    return copy;
  }

  /** A tracked object with the arrays and plain objects that it holds: all of them have the same ancestors. */
  #fill(step: Step): void {
    const held = new Map([[step.visit.source, step.copy]]);
    const led = new Map<Visit, object>();
    const isEnd = this.#copies > this.#mostCopies || step.level >= MOST_LEVELS;
    const replace = (value: unknown): unknown => {
      const visit = this.graph.cutAt(value);
      if (visit === undefined) return value;
      if (visit.component !== step.visit.component) return this.#enter(visit);
      if (isEnd || (visit.isTracked && isAncestor(visit, step))) return LEFT_OUT;
      if (visit.isTracked) return this.#lead(visit, step, led);
      const copy = held.get(visit.source) ?? blank(visit.source);
      held.set(visit.source, copy);
      return copy;
    };
    // What is added meanwhile has its turn.
    for (const [source, copy] of held) copyInto(copy, source, replace);
  }

  #lead(visit: Visit, before: Step, led: Map<Visit, object>): object {
    let copy = led.get(visit);
    if (copy === undefined) {
      led.set(visit, (copy = blank(visit.source)));
      this.#next.push({ visit, copy, before, level: before.level + 1 });
    }
    return copy;
  }

  /** How many tracked objects of its component one leads to, through arrays and plain objects. */
  #widthOf(visit: Visit): number {
    let width = this.#widths.get(visit);
    if (width !== undefined) return width;
    const through = new Set([visit]);
    width = 0;
    for (const { children } of through) {
      for (const child of children) {
        const other = this.graph.cutAt(child);
        if (other?.component !== visit.component) continue;
        if (other!.isTracked) width += 1;
        else through.add(other!);
      }
    }
    this.#widths.set(visit, width);
    return width;
  }
}

function isAncestor(visit: Visit, step: Step): boolean {
  for (let at: Step | undefined = step; at !== undefined; at = at.before) if (at.visit === visit) return true;
  return false;
}

function blank(source: object): object {
  return Array.isArray(source)
    ? []
    : (Object.create(Object.getPrototypeOf(source) as object | null) as object);
}

function copyInto(copy: object, source: object, replace: (value: unknown) => unknown): void {
  if (Array.isArray(source)) {
    const values = (source as unknown[]).map(replace).filter((value) => value !== LEFT_OUT);
    for (const value of values) (copy as unknown[]).push(value);
    return;
  }
  for (const key of Reflect.ownKeys(source)) {
    const property = Object.getOwnPropertyDescriptor(source, key)!;
    if (property.enumerable !== true) continue;
    if (!('value' in property)) {
      // What it would say is nobody's business before it is read.
      Object.defineProperty(copy, key, property);
      continue;
    }
    const value = replace(property.value);
    if (value === LEFT_OUT) continue;
    // A setter of the class is not called: the object had a property of its own.
    if (key in copy) Object.defineProperty(copy, key, { ...property, value });
    else (copy as Record<PropertyKey, unknown>)[key] = value;
  }
}
