/** A small application as a user has it, given the packages as its caller loaded them: import or require. */

async function answers({ common, core, nestTypeorm, typeorm, library, testing }) {
  const Note = new typeorm.EntitySchema({
    name: 'note',
    columns: { id: { type: Number, primary: true, generated: true }, text: { type: String } },
  });

  // Decorators by hand: no compiler stands between these lines and Node.
  class NotesController {
    constructor(session, notes) {
      this.session = session;
      this.notes = notes;
    }

    async add(session, { text, fails }) {
      await this.notes.insert({ text: `${text} by the repository` });
      await session.execute('INSERT INTO note (text) VALUES (:text)', { text: `${text} by the session` });
      if (fails) throw new common.ConflictException('on purpose');
      return { isInTransaction: this.session.inTransaction() };
    }
  }
  common.Inject(library.ScopedSession)(NotesController, undefined, 0);
  library.InjectRepository(Note)(NotesController, undefined, 1);
  library.Session()(NotesController.prototype, 'add', 0);
  common.Body()(NotesController.prototype, 'add', 1);
  const add = Object.getOwnPropertyDescriptor(NotesController.prototype, 'add');
  common.Post('notes')(NotesController.prototype, 'add', add);
  common.Controller()(NotesController);

  class AppModule {}
  common.Module({
    imports: [
      nestTypeorm.TypeOrmModule.forRoot({ type: 'sqljs', synchronize: true, entities: [Note] }),
      library.ScopedSessionModule.forRoot(),
      library.ScopedSessionModule.forFeature([Note]),
    ],
    controllers: [NotesController],
  })(AppModule);

  const app = await core.NestFactory.create(AppModule, { logger: false, forceCloseConnections: true });
  await app.listen(0, '127.0.0.1');
  const post = async (body) => {
    const { port } = app.getHttpServer().address();
    const response = await fetch(`http://127.0.0.1:${port}/notes`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: await response.json() };
  };
  const kept = await post({ text: 'kept' });
  const lost = await post({ text: 'lost', fails: true });
  const texts = await testing.withSession(app, (session) => session.scalars('SELECT text FROM note'));
  await app.close();

  const { session, statements } = testing.fakeSession(() => [{ n: 1 }]);
  const fake = await session.scalar('SELECT n');
  return { kept, lost, texts, fake, statements: statements.length };
}

module.exports = { answers };
