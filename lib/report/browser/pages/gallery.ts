// Photos, and what a network took them for.
import type { GalleryData } from '../../gallery-data.js'
import { pageData, pageRoot } from '../dom.js'
import { GalleryView } from '../gallery-view.js'

pageRoot().append(...new GalleryView(pageData<GalleryData>()).elements)
