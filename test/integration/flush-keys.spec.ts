/** A foreign key that the class has as a property too: the key or the relation may be changed, and both agree afterwards. */
import { expect, it } from 'vitest';
import { KINDS, onEach } from '../support/databases.js';
import { catalogue, type Flushing, flushing, make } from '../support/flushing.js';
import { Coach, Ground, Player, Shirt, Team } from '../support/teams.js';

onEach(KINDS, (database) => {
  const entities = [Team, Player, Coach, Ground, Shirt];
  const dataSource = catalogue(database, { entities, subscribers: [] });

  /** Two teams that are tracked, a third that is not, and a player of the first with the relation loaded. */
  const withTeams = (
    work: (unit: Flushing, teams: Team[], player: Player) => Promise<void>,
    type: typeof Player | typeof Coach = Player,
  ) =>
    flushing(dataSource(), async (unit) => {
      const { manager } = unit.runner;
      const teams = await manager.save(['a', 'b', 'c'].map((name) => make(Team, { name })));
      await manager.save(make<Player | Coach>(type, { team: teams[0]! }));
      const tracked = await unit.load(Team, { where: [{ name: 'a' }, { name: 'b' }] });
      const [player] = await unit.load<Player | Coach>(type);
      player!.team = tracked[0]!;
      unit.map
        .of(player!)!
        .relations.set(unit.map.of(player!)!.shape.metadata.relations[0]!, idOf(tracked[0]!));
      unit.sent();
      await work(unit, [tracked[0]!, tracked[1]!, teams[2]!], player as Player);
      unit.sent();
      await unit.flush();
      expect(unit.sent()).toEqual([]);
    });
  const storedTeam = async ({ runner }: Flushing): Promise<string | undefined> => {
    const [player] = await runner.manager.find(Player, { relations: { team: true } });
    return player!.team?.name;
  };

  it('a changed key is stored, and the relation leads to the tracked object of that key', () =>
    withTeams(async (unit, [, b], player) => {
      player.teamId = b!.id;
      await unit.flush();
      expect(unit.sent()).toEqual(['UPDATE player']);
      expect([player.teamId, player.team]).toEqual([b!.id, b]);
      expect(player.team).toBe(b);
      expect(await storedTeam(unit)).toBe('b');
    }));

  it('what is not tracked is not loaded any more', () =>
    withTeams(async (unit, [, , c], player) => {
      player.teamId = c!.id;
      await unit.flush();
      expect('team' in player).toBe(false);
      expect(player.teamId).toBe(c!.id);
      expect(await storedTeam(unit)).toBe('c');
    }));

  it('a key that is null leads to nothing', () =>
    withTeams(async (unit, _, player) => {
      player.teamId = null;
      await unit.flush();
      expect(player.team).toBeNull();
      expect(await storedTeam(unit)).toBeUndefined();
    }));

  it('where both were changed the relation is stored, as by TypeORM, and the key follows', () =>
    withTeams(async (unit, [a, b, c], player) => {
      const plain = await unit.runner.manager.findOneOrFail(Player, { where: {}, relations: { team: true } });
      Object.assign(plain, { teamId: c!.id, team: b });
      await unit.runner.manager.save(plain);

      expect(await storedTeam(unit)).toBe('b');
      Object.assign(plain, { teamId: a!.id, team: a });
      await unit.runner.manager.save(plain);
      Object.assign(player, { teamId: c!.id, team: b });
      await unit.flush();
      expect(await storedTeam(unit)).toBe('b');
      expect([player.teamId, player.team]).toEqual([b!.id, b]);
    }));

  it('the key follows a changed relation, and is no change then', () =>
    withTeams(async (unit, [a, b], player) => {
      player.team = b!;
      await unit.flush();
      expect(player.teamId).toBe(b!.id);
      player.teamId = a!.id;
      await unit.flush();
      expect(player.team).toBe(a);
      expect(await storedTeam(unit)).toBe('a');
    }));

  it('the key of a new object follows its relation, and the relation is known by its key', () =>
    withTeams(async (unit, [a, b]) => {
      const players = [make(Player, { team: a! }), make(Player, { teamId: b!.id })];
      unit.add(...players);
      await unit.flush();
      expect(players.map(({ teamId }) => teamId)).toEqual([a!.id, b!.id]);
      players[1]!.team = b!;
      unit.sent();
    }));

  it('who is moved by the key is no orphan of the collection that it left', () =>
    withTeams(async (unit, [a, b], player) => {
      const tracked = unit.map.of(a!)!;
      a!.players = [player];
      const [relation] = tracked.shape.metadata.oneToManyRelations;
      tracked.relations.set(relation!, [idOf(player)]);
      a!.players = [];
      player.teamId = b!.id;
      await unit.flush();
      expect(unit.sent()).toEqual(['UPDATE player']);
      expect(await storedTeam(unit)).toBe('b');
    }));

  it('who listens to changes is told of this one', () =>
    withTeams(async (unit, [, b], coach) => {
      coach.teamId = b!.id;
      await unit.flush();
      expect((coach as unknown as Coach).told).toBe(1);
      const [stored] = await unit.runner.manager.find(Coach, { relations: { team: true } });
      expect(stored!.team!.name).toBe('b');
    }, Coach));

  it('what is changed while the database works is a change still', () =>
    withTeams(async (unit, [a, b, c], player) => {
      const query = unit.runner.query.bind(unit.runner);
      player.teamId = b!.id;
      unit.runner.query = ((...statement: Parameters<typeof query>) => {
        player.teamId = c!.id;
        return query(...statement);
      }) as typeof query;
      await unit.flush();
      unit.runner.query = query;
      expect(await storedTeam(unit)).toBe('b');
      unit.sent();
      await unit.flush();
      expect(unit.sent()).toEqual(['UPDATE player']);
      expect(await storedTeam(unit)).toBe('c');
      player.team = a!;
      await unit.flush();
      expect(await storedTeam(unit)).toBe('a');
    }));

  it('a primary key that is a relation is changed with it, and found by the new one', () =>
    withTeams(async (unit, [a, b]) => {
      const ground = make(Ground, { team: a!, name: 'x' });
      const shirt = make(Shirt, { team: a!, place: 1, name: 'x' });
      const tracked = unit.add<object>(ground, shirt);
      await unit.flush();
      unit.sent();
      Object.assign(ground, { team: b, name: 'y' });
      Object.assign(shirt, { team: b, name: 'y' });
      await unit.flush();
      expect(unit.sent().toSorted()).toEqual(['UPDATE ground', 'UPDATE shirt']);
      expect(ground.teamId).toBe(b!.id);
      for (const one of tracked) expect(unit.map.get(one.shape.metadata, one.key!)).toBe(one);
      expect(tracked.map(({ key }) => key)).toEqual([idOf(b!), `${b!.id}\u00011`]);
      const { manager } = unit.runner;
      expect(await manager.find(Ground)).toEqual([{ teamId: b!.id, name: 'y' }]);
      expect(await manager.find(Shirt, { relations: { team: true } })).toMatchObject([
        { team: { name: 'b' }, name: 'y' },
      ]);
      ground.teamId = a!.id;
      unit.sent();
      await unit.flush();
      expect(unit.sent()).toEqual(['UPDATE ground']);
      expect([tracked[0]!.key, ground.team]).toEqual([idOf(a!), a]);
    }));
});

function idOf({ id }: { id: number }): string {
  return String(id);
}
