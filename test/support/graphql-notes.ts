/** Resolvers of notes: every place of a GraphQL application in which a session is used. */
import {
  type CanActivate,
  Injectable,
  type PipeTransform,
  UseGuards,
  NotFoundException,
} from '@nestjs/common';
import {
  Args,
  Field,
  Int,
  Mutation,
  ObjectType,
  Parent,
  Query,
  ResolveField,
  Resolver,
} from '@nestjs/graphql';
import { InjectRepository } from '@nestjs/typeorm';
import { ScopedSession, Session, type SessionBase } from 'nestjs-scoped-session';
import { Repository } from 'typeorm';
import { Note } from './note.js';

/** Which sessions were seen, and where. */
@Injectable()
export class Seen {
  readonly places: string[] = [];
  readonly sessions = new Set<SessionBase>();

  constructor(private readonly session: ScopedSession) {}

  at(place: string): void {
    this.places.push(place);
    this.sessions.add(this.session.current());
  }
}

@ObjectType('Note')
export class NoteType {
  @Field(() => Int)
  id!: number;

  @Field()
  text!: string;
}

@Injectable()
export class SeeingGuard implements CanActivate {
  constructor(
    private readonly seen: Seen,
    private readonly session: ScopedSession,
  ) {}

  async canActivate(): Promise<boolean> {
    await this.session.scalar('SELECT 1');
    this.seen.at('guard');
    return true;
  }
}

@Injectable()
export class SeeingPipe implements PipeTransform<string, Promise<string>> {
  constructor(
    private readonly seen: Seen,
    private readonly session: ScopedSession,
  ) {}

  async transform(value: string): Promise<string> {
    await this.session.scalar('SELECT 1');
    this.seen.at('pipe');
    return value;
  }
}

/** As dataloader does: the keys of one tick are asked for at once, in the context of the first. */
class Loader {
  #keys: { id: number; tell: (length: number) => void }[] = [];

  constructor(
    private readonly batch: (ids: readonly number[]) => Promise<Map<number, number>>,
    private readonly later: (run: () => void) => unknown,
  ) {}

  load(id: number): Promise<number> {
    return new Promise((tell, reject) => {
      this.#keys.push({ id, tell });
      if (this.#keys.length > 1) return;
      this.later(() => {
        const asked = this.#keys.splice(0);
        this.batch(asked.map((one) => one.id)).then(
          (found) => asked.forEach((one) => one.tell(found.get(one.id) ?? 0)),
          reject,
        );
      });
    });
  }
}

@Resolver(() => NoteType)
export class NotesResolver {
  readonly #lengths = new Loader((ids) => this.#lengthsOf(ids), setImmediate);
  readonly #others = new Loader((ids) => this.#lengthsOf(ids), process.nextTick);

  constructor(
    @InjectRepository(Note) private readonly notes: Repository<Note>,
    private readonly session: ScopedSession,
    private readonly seen: Seen,
  ) {}

  @Query(() => [NoteType])
  async all(): Promise<Note[]> {
    this.seen.at('root by repository');
    return this.notes.find({ order: { id: 'ASC' } });
  }

  @Query(() => [NoteType])
  async tracked(@Session() session: Session): Promise<Note[]> {
    this.seen.at('root by parameter');
    return session.find(Note, { order: { id: 'ASC' } });
  }

  @Query(() => Int)
  @UseGuards(SeeingGuard)
  async counted(@Args('text', SeeingPipe) text: string): Promise<number> {
    this.seen.at('root by scoped session');
    return this.session.count(Note, { where: { text } });
  }

  @Query(() => String)
  static(): string {
    return 'no database';
  }

  @Query(() => Int, { nullable: true })
  async missing(): Promise<never> {
    await this.session.scalar('SELECT 1');
    throw new NotFoundException('There is none.');
  }

  /** Changes what it shows, as masking does. */
  @Query(() => [NoteType])
  async masked(@Session() session: Session): Promise<Note[]> {
    const notes = await session.find(Note);
    for (const note of notes) note.text = '***';
    return notes;
  }

  @Mutation(() => NoteType, { nullable: true })
  async add(@Args('text') text: string): Promise<Note> {
    this.seen.at('mutation');
    return this.notes.save(this.notes.create({ text }));
  }

  @Mutation(() => NoteType)
  async addTracked(@Args('text') text: string, @Session() session: Session): Promise<Note> {
    const note = Object.assign(new Note(), { text });
    session.add(note);
    await session.flush();
    return note;
  }

  /** Stored by the end, and by nobody before. */
  @Mutation(() => String, { nullable: true })
  async rename(@Args('from') from: string, @Args('to') to: string): Promise<string> {
    const note = await this.session.getRepository(Note).findOneByOrFail({ text: from });
    const known = await this.session.getOrFail(Note, note.id);
    known.text = to;
    return to;
  }

  @Mutation(() => String, { nullable: true })
  async fails(): Promise<never> {
    throw new Error('This half has failed.');
  }

  @Mutation(() => String)
  async failsHard(): Promise<never> {
    throw new Error('This half has failed hard.');
  }

  @Mutation(() => String, { nullable: true })
  async notFound(): Promise<never> {
    throw new NotFoundException('There is none.');
  }

  @Mutation(() => String)
  async commits(): Promise<string> {
    await this.session.commit();
    return 'committed';
  }

  @ResolveField(() => String, { nullable: true })
  async broken(): Promise<never> {
    throw new Error('This field has failed.');
  }

  @ResolveField(() => Int)
  async length(@Parent() note: Note, @Session() session: Session): Promise<number> {
    this.seen.at('field resolver');
    return Number(await session.scalar('SELECT LENGTH(text) FROM note WHERE id = :id', { id: note.id }));
  }

  @ResolveField(() => Int)
  async loaded(@Parent() note: Note): Promise<number> {
    return this.#lengths.load(note.id);
  }

  @ResolveField(() => Int)
  async loadedSoon(@Parent() note: Note): Promise<number> {
    return this.#others.load(note.id);
  }

  async #lengthsOf(ids: readonly number[]): Promise<Map<number, number>> {
    this.seen.at(`loader of ${ids.length}`);
    const found = await this.notes.find();
    return new Map(found.filter(({ id }) => ids.includes(id)).map(({ id, text }) => [id, text.length]));
  }
}

export const NOTES_PROVIDERS = [Seen, SeeingGuard, SeeingPipe, NotesResolver];
