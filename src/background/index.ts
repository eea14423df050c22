/** The background room: work that outlives the request that starts it. */
export { type BackgroundTask, TASK_OUTCOMES, type TaskOutcome, type TaskResult } from './background-task.js';
export { BackgroundTasks } from './background-tasks.js';
export {
  type BackgroundTasksOptions,
  type OnTaskError,
  type ReportedTask,
  TASK_LIMITS,
  type TaskHost,
  tellOfError,
} from './task-host.js';
export type { TaskCounters, TaskLimits } from './task-queue.js';
export type { TaskWork } from './running-tasks.js';
