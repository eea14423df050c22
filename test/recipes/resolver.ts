/** A GraphQL operation with root fields and field resolvers that share one session. */
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
import { ScopedSession, Session } from 'nestjs-scoped-session';

@ObjectType('Order')
export class OrderType {
  @Field(() => Int) id!: number;
  @Field(() => String) item!: string;
}

@Resolver(() => OrderType)
export class OrdersResolver {
  constructor(private readonly session: ScopedSession) {}

  @Query(() => [OrderType])
  async orders(): Promise<readonly OrderType[]> {
    return (await this.session.execute<OrderType>('SELECT id, item FROM orders ORDER BY id')).rows;
  }

  @Mutation(() => Int)
  async order(@Session() session: Session, @Args('item') item: string): Promise<number> {
    const { affectedRows } = await session.execute('INSERT INTO orders (item) VALUES (:item)', { item });
    if (item === 'nothing') throw new Error('There is nothing to order.');
    return affectedRows;
  }

  /** Called once for each order; all of them ask on the one connection of the operation. */
  @ResolveField(() => Int)
  async pieces(@Parent() { item }: OrderType): Promise<number> {
    const sql = 'SELECT COALESCE(SUM(pieces), 0) FROM stock WHERE item = :item';
    return Number(await this.session.scalar(sql, { item }));
  }
}
