/** Loaded before every test file. */
import 'reflect-metadata';
import { Logger } from '@nestjs/common';

// Applications under test are quiet; what they warn of is asserted where it matters.
Logger.overrideLogger(false);
