// The page of a sweep.
import type { LeaderboardData } from '../../leaderboard-data.js'
import { pageData, pageRoot } from '../dom.js'
import { leaderboardView } from '../leaderboard-view.js'

pageRoot().append(...leaderboardView(pageData<LeaderboardData>()))
