/** Interceptors of an application that extend the one of class-transformer. */
import { ClassSerializerInterceptor, Injectable } from '@nestjs/common';
import { instanceToPlain } from 'class-transformer';

@Injectable()
export class Numbered extends ClassSerializerInterceptor {
  override serialize(...[response, options]: Parameters<ClassSerializerInterceptor['serialize']>): object {
    return { serialized: super.serialize(response, options) };
  }
}

/** Asks class-transformer by itself. */
@Injectable()
export class ByHand extends ClassSerializerInterceptor {
  override serialize(...[response]: Parameters<ClassSerializerInterceptor['serialize']>): object {
    return { byHand: instanceToPlain(response) };
  }
}
