/** Handlers that store a note and answer with a body, which stores another one while it is read; one route for each kind of body. */
import { Readable } from 'node:stream';
import { Controller, Get, Inject, Param, Post, StreamableFile } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { ScopedSession } from 'nestjs-scoped-session';
import { Repository } from 'typeorm';
import { Note } from './note.js';
import { signal } from './wait-until.js';

export const BODIES = [
  'file',
  'file with a length',
  'readable',
  'generator',
  'web stream',
  'response',
] as const;
export type BodyKind = (typeof BODIES)[number];

/** What the bodies consist of. */
export const PIECES = ['first, ', 'last'] as const;
export const WHOLE = PIECES.join('');

/** What a test has its bodies wait for and do, and what it hears of them. */
export class Course {
  /** The body waits here behind its first piece. */
  goOn = signal();
  fails = false;
  readonly heard: string[] = [];
}

@Controller()
export class BodiesController {
  constructor(
    @InjectRepository(Note) private readonly notes: Repository<Note>,
    @Inject(ScopedSession) readonly session: ScopedSession,
    @Inject(Course) private readonly course: Course,
  ) {}

  @Post('body/:kind/:text')
  async body(@Param('kind') kind: BodyKind, @Param('text') text: string): Promise<unknown> {
    await this.notes.insert({ text });
    return MAKE[kind](this.#pieces(text));
  }

  @Get('body/:kind/:text')
  async got(@Param('kind') kind: BodyKind, @Param('text') text: string): Promise<unknown> {
    return this.body(kind, text);
  }

  async *#pieces(text: string): AsyncGenerator<Buffer> {
    const { course } = this;
    try {
      yield Buffer.from(PIECES[0]);
      await course.goOn.promise;
      await this.notes.insert({ text: `${text}, by its body` });
      if (course.fails) throw new Error('The body has failed.');
      yield Buffer.from(PIECES[1]);
      course.heard.push(`${text} ended`);
    } finally {
      course.heard.push(`${text} left`);
    }
  }
}

const readable = (pieces: AsyncGenerator<Buffer>): Readable => Readable.from(pieces, { objectMode: false });

const MAKE: Readonly<Record<BodyKind, (pieces: AsyncGenerator<Buffer>) => unknown>> = {
  file: (pieces) => new StreamableFile(readable(pieces), { type: 'text/plain' }),
  'file with a length': (pieces) => new StreamableFile(readable(pieces), { length: WHOLE.length }),
  readable,
  generator: (pieces) => pieces,
  'web stream': (pieces) => Readable.toWeb(readable(pieces)),
  response: (pieces) => {
    const body = Readable.toWeb(readable(pieces)) as ReadableStream;
    return new Response(body, { status: 202, headers: { 'x-made-by': 'the handler' } });
  },
};
