/** The notes application of an ES module. */
import 'reflect-metadata';
import * as common from '@nestjs/common';
import * as core from '@nestjs/core';
import * as nestTypeorm from '@nestjs/typeorm';
import * as library from 'nestjs-scoped-session';
import * as testing from 'nestjs-scoped-session/testing';
import * as typeorm from 'typeorm';
import { answers } from './notes-app.cjs';

const refusalOf = (path) => import(path).then(() => 'loaded', ({ code }) => code); // prettier-ignore

console.log(
  JSON.stringify({
    ...(await answers({ common, core, nestTypeorm, typeorm, library, testing })),
    testingInMain: Object.keys(testing).filter((name) => name in library),
    inside: await refusalOf('nestjs-scoped-session/dist/testing/index.js'),
  }),
);
