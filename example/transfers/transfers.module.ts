import { BadRequestException, Body, Controller, Get, Module, Post } from '@nestjs/common';
import { ApiProperty } from '@nestjs/swagger';
import { TypeOrmModule } from '@nestjs/typeorm';
import { IsInt, IsPositive, Max } from 'class-validator';
import { AuditModule } from '../audit/audit.module.js';
import { Entry } from './entry.entity.js';
import { type Transfer, TransfersService } from './transfers.service.js';

export class TransferDto {
  @ApiProperty({ example: 1 })
  @IsInt()
  @IsPositive()
  from!: number;

  @ApiProperty({ example: 2 })
  @IsInt()
  @IsPositive()
  to!: number;

  @ApiProperty({ example: 2500 })
  @IsInt()
  @IsPositive()
  @Max(1_000_000_000)
  cents!: number;
}

@Controller('transfers')
export class TransfersController {
  constructor(private readonly transfers: TransfersService) {}

  @Post()
  transfer(@Body() { from, to, cents }: TransferDto): Promise<Transfer> {
    if (from === to) throw new BadRequestException('An account cannot transfer to itself.');
    return this.transfers.transfer(from, to, cents);
  }

  @Get('entries')
  entries(): Promise<Entry[]> {
    return this.transfers.entries();
  }
}

@Module({
  imports: [TypeOrmModule.forFeature([Entry]), AuditModule],
  controllers: [TransfersController],
  providers: [TransfersService],
})
export class TransfersModule {}
