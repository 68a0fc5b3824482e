import { HOSTS } from '../agents/hosts.js';
import type { AgentHost } from '../claims/identity.js';

/** The programs that run agents, for those who are given no name. */
export const AGENT_HOSTS: readonly AgentHost[] = Object.values(HOSTS);
