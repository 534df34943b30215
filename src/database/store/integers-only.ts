import type { Configuration, Platform } from '@mikro-orm/core'
import type { Driver } from '../../driver/driver.ts'
import type { OrmOptions } from '../../driver/orm.ts'

const platforms = new WeakSet<Platform>()

/** True if the ORM of this platform is of a driver with `integersOnly`: known before MikroORM reads the entities. */
export function keepsIntegersOnly(platform: Platform): boolean {
  return platforms.has(platform)
}

/** The same options; MikroORM's types then know what the driver says of its integers. */
export function withIntegersOnly<O extends Pick<OrmOptions, 'driver'>>(
  { integersOnly }: Pick<Driver, 'integersOnly'>,
  options: O,
): O {
  const { driver: StoreDriver } = options
  if (integersOnly !== true || StoreDriver === undefined) return options
  return {
    ...options,
    driver: class extends StoreDriver {
      constructor(config: Configuration) {
        super(config)
        platforms.add(this.getPlatform())
      }
    },
  }
}
