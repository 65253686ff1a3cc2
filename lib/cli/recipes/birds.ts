// The task 'birds': bird or not, on CIFAR-10 and whatever more birds there are.
import { datasets, type DatasetParts } from '../../index.js'
import { best } from './best.js'
import { article } from './default.js'
import { quick } from './quick.js'
import type { Recipe } from './recipe.js'

export const recipes: Readonly<Record<string, Recipe>> = { quick, default: article, best }

/** Where more birds come from, and how many pictures are then held out. */
export interface Sources {
  /** Paths. */
  folders: string[]
  archives: string[]
  test: number
}

/**
 * The pictures that a run trains on and those it holds out. The same sources give the same parts, whatever the recipe and its seed: so
 * runs can be compared. A picture that can't be read is left out.
 */
export function birds({ folders, archives, test }: Sources, { fine = false } = {}): Promise<DatasetParts> {
  const isMore = folders.length + archives.length > 0
  return datasets.birds({ folders, archives, fine, onError: 'skip', ...(isMore && { test }) })
}
