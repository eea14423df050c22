/** The objects that a value leads to, in one pass: which of them are on a cycle with a tracked one (Tarjan's algorithm). */
import type { EntityShape } from './entity-shape.js';
import { type KnownClasses, ledTo, type Outline, outlineOf } from './led-to.js';
import { trackedOf } from './stamp.js';

/** Objects each of which leads to all others; most often it is one alone. */
export interface Component {
  /** It has a cycle that is to be cut, or leads to one. */
  readonly isCut: boolean;
}

export class Visit {
  component: Component | undefined;
  /** How many of `children` were followed. */
  followed = 0;
  /** The earliest object on the way from the root that it leads back to. */
  low: number;
  leadsToItself = false;
  leadsToCut = false;

  constructor(
    readonly source: object,
    readonly isTracked: boolean,
    readonly children: readonly object[],
    /** What an object of a class of its own may be, behind this one. */
    readonly classes: KnownClasses | undefined,
    readonly order: number,
  ) {
    this.low = order;
  }
}

export class ObjectGraph {
  /** From one object to another, repeated ones included. */
  references = 0;
  /** An object that leads nowhere is on no cycle, and is not noted. */
  readonly #visits = new Map<unknown, Visit>();
  readonly #unassigned: Visit[] = [];
  #shape: EntityShape | undefined;
  #outline: Outline | undefined;

  constructor(root: object) {
    // A list of its own and no recursion: a chain may be longer than the stack is deep.
    const path: Visit[] = [];
    this.#enter(root, undefined, path);
    for (let visit = path.at(-1); visit !== undefined; visit = path.at(-1)) {
      const child = visit.children[visit.followed];
      visit.followed += 1;
      if (child === undefined) this.#leave(path);
      else this.#follow(visit, child, path);
    }
  }

  /** What is known of an object that has to be copied; undefined for one that stays as it is. */
  cutAt(value: unknown): Visit | undefined {
    const visit = this.#visits.get(value);
    return visit?.component?.isCut === true ? visit : undefined;
  }

  #enter(source: object, classes: KnownClasses | undefined, path: Visit[]): void {
    const shape = trackedOf(source)?.shape;
    const outline = shape === undefined ? undefined : this.#outlineOf(shape);
    const behind = outline?.classes ?? classes;
    const children = ledTo(source, outline?.scalars, behind);
    if (children.length === 0) return;
    const visit = new Visit(source, shape !== undefined, children, behind, this.#visits.size);
    this.references += children.length;
    this.#visits.set(source, visit);
    this.#unassigned.push(visit);
    path.push(visit);
  }

  /** Most lists are of one class. */
  #outlineOf(shape: EntityShape): Outline {
    if (shape === this.#shape) return this.#outline!;
    this.#shape = shape;
    return (this.#outline = outlineOf(shape));
  }

  #follow(visit: Visit, child: object, path: Visit[]): void {
    const known = this.#visits.get(child);
    if (known === undefined) return this.#enter(child, visit.classes, path);
    if (known === visit) visit.leadsToItself = true;
    if (known.component === undefined) visit.low = Math.min(visit.low, known.order);
    else if (known.component.isCut) visit.leadsToCut = true;
  }

  #leave(path: Visit[]): void {
    const visit = path.pop()!;
    if (visit.low === visit.order) this.#close(visit);
    const before = path.at(-1);
    if (before === undefined) return;
    if (visit.component === undefined) before.low = Math.min(before.low, visit.low);
    else if (visit.component.isCut) before.leadsToCut = true;
  }

  /** Everything that came after `first`, and has no component yet, leads back to it. */
  #close(first: Visit): void {
    const members = this.#unassigned.splice(this.#unassigned.lastIndexOf(first));
    const isCycle = members.length > 1 || first.leadsToItself;
    const isCut =
      (isCycle && members.some(({ isTracked }) => isTracked)) || members.some(({ leadsToCut }) => leadsToCut);
    const component = { isCut };
    for (const member of members) member.component = component;
  }
}

/** Without the means of a whole graph. */
export function leadsNowhere(source: object): boolean {
  const shape = trackedOf(source)?.shape;
  const outline = shape === undefined ? undefined : outlineOf(shape);
  return ledTo(source, outline?.scalars, outline?.classes).length === 0;
}
