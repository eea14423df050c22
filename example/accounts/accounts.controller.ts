import {
  Body,
  Controller,
  Get,
  NotFoundException,
  Param,
  ParseIntPipe,
  Post,
  UseGuards,
} from '@nestjs/common';
import { ApiProperty } from '@nestjs/swagger';
import { IsInt, IsString, Length, Min } from 'class-validator';
import { Session } from 'nestjs-scoped-session';
import { Account } from './account.entity.js';
import { AccountsService } from './accounts.service.js';
import { SameSessionGuard } from './same-session.guard.js';

export class OpenAccountDto {
  @ApiProperty({ example: 'Edsger' })
  @IsString()
  @Length(1, 100)
  owner!: string;

  @ApiProperty({ example: 1000 })
  @IsInt()
  @Min(0)
  cents!: number;
}

@Controller()
export class AccountsController {
  constructor(private readonly accounts: AccountsService) {}

  @Get('accounts')
  all(): Promise<Account[]> {
    return this.accounts.all();
  }

  @Get('accounts/:id')
  async one(@Param('id', ParseIntPipe) id: number, @Session() session: Session): Promise<Account> {
    const account = await session.manager.findOneBy(Account, { id });
    if (account === null) throw new NotFoundException(`There is no account ${id}.`);
    return account;
  }

  @Post('accounts')
  open(@Body() { owner, cents }: OpenAccountDto): Promise<Account> {
    return this.accounts.open(owner, cents);
  }

  /** Three places ask for the session, and all get the same one. */
  @Get('whoami')
  @UseGuards(SameSessionGuard)
  whoami(@Session() session: Session): object {
    return {
      handler: session.info['name'],
      service: this.accounts.sessionName(),
      guard: session.info['seenByGuard'],
      connectionTaken: session.inTransaction(),
    };
  }
}
